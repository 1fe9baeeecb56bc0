"""A trained model is read from its trial's folder alone."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lm.config.load import parse_config
from lm.data.dataset import load_dataset
from lm.hooks.identity import identify
from lm.training.load import load_trained, load_trial_dataset
from lm.training.trainer import Trainer
from sweeps.errors import UserError
from sweeps.store.fingerprint import fingerprint
from sweeps.store.provenance import Provenance
from sweeps.store.trial import TrialSpec, write_trial
from tests.lm.helpers.training import killed_at, run

Compose = Callable[..., dict[str, Any]]
LAZY_ROWS = ("loss.kind=sampled_softmax", "loss.samples=4", "optimizer.momentum=0.9")


def test_model_of_a_checkpoint_within_an_epoch_is_read_without_its_corpus(
    tiny: Compose, story: Path, tmp_path: Path
) -> None:
    text = tmp_path / "text.txt"
    text.write_bytes(story.read_bytes())
    changes = "train.changes=[{step:25,optimizer.learning_rate:0.01}]"
    values = tiny(*LAZY_ROWS, changes, f"data.files=[{text}]", "train.checkpoint_minutes=0")
    spec = TrialSpec(
        config=values,
        overrides=(),
        settings={},
        fingerprint=fingerprint(identify(values)),
        train_command="",
    )
    write_trial(tmp_path / "trial", spec, Provenance({}, ""))
    with suppress(KeyboardInterrupt):
        run(tmp_path / "trial", values, killed_at(39))  # after 23 updates of the first epoch
    expected = trained_to(values, 32)
    text.unlink()
    trained = load_trained(tmp_path / "trial", choice="last")
    assert trained.step == 32
    for one, other in zip(jax.tree.leaves(trained.params), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(UserError):
        load_trial_dataset(trained)


def trained_to(values: dict[str, Any], end: int) -> dict[str, Any]:
    """Parameters after so many updates, with all rows up to date."""
    config = parse_config(values)
    trainer = Trainer(config, load_dataset(config.data))
    state, step = trainer.start(), 0
    while step < end:
        state, report = trainer.advance(state, step)
        step += report.steps
    assert step == end
    return trainer.functions.flush(state, trainer.hyperparams(step - 1), jnp.bool_(True)).params
