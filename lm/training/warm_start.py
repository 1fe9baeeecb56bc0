"""Parameters of another trial's model as the first ones of a training (`init_from`)."""

import logging
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from lm.config import Config
from lm.config.identity import identity_of
from lm.model.types import Params
from lm.serialization.exported import FloatArray, named_arrays
from lm.serialization.source import (
    OPTION,
    SOURCE_FILE,
    Source,
    check_source,
    checkpoint_in_metadata,
    describe,
    match,
    read_safetensors_arrays,
)
from lm.training.load import load_trained
from sweeps.errors import UserError
from sweeps.io.atomic import write_json
from sweeps.store import fingerprint, read_trial

log = logging.getLogger(__name__)


def warm_started(config: Config, words: list[str], drawn: Params) -> Params:
    """Put the parameters that fit in the place of those that were drawn, and say in the log which.

    Args:
      config: its `init_from` is not null.
      words: the vocabulary of this training.
      drawn: first parameters.

    Raises:
      UserError: the other model cannot be read, or none of its parameters fits.
    """
    assert config.init_from is not None
    source = check_source(config.init_from, config.model, words)
    found = match(source, config.model, words)
    what, arrays = _arrays(source)
    for line in describe(config.init_from, what, found):
        log.info("%s", line)
    taken = {name: arrays[name] for name in found.taken}

    def first(path: tuple[Any, ...], own: Array) -> Array:
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        # A copy, for training uses its buffers up.
        return jnp.array(taken[name], own.dtype, copy=True) if name in taken else own

    params: Params = jax.tree_util.tree_map_with_path(first, drawn)
    return params


def record_source(config: Config, words: list[str], text_digest: str, directory: Path) -> None:
    """Write into a trial's folder what its training begins with: `init_from.json`.

    Args:
      config: its `init_from` is not null.
      words: the vocabulary of this training.
      text_digest: `lm.data.dataset.Dataset.digest`.
      directory: the trial's folder.

    Raises:
      UserError: as `warm_started`; or it is another model than when the trial was planned.
    """
    assert config.init_from is not None
    source = check_source(config.init_from, config.model, words)
    planned = read_trial(directory).fingerprint
    if planned and planned != fingerprint(identity_of(config, text_digest, source.digest)):
        raise UserError(
            f"{OPTION}={config.init_from} has other parameters than when this trial was planned, "
            "or its text has changed; give the command again, and name a trial that has ended."
        )
    found = match(source, config.model, words)
    facts = {
        "path": config.init_from,
        "sha256": source.digest,
        "taken": found.taken,
        "drawn": found.left,
    }
    write_json(directory / SOURCE_FILE, facts)


def _arrays(source: Source) -> tuple[str, dict[str, FloatArray]]:
    """Of which checkpoint a source's parameters are, in words, and these, by name."""
    if source.checkpoint is None:
        return checkpoint_in_metadata(source), read_safetensors_arrays(source)
    trained = load_trained(source.path, choice=source.checkpoint)
    return trained.describe_checkpoint(), named_arrays(trained.params)
