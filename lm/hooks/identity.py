"""The hook that checks a trial and gives its identity."""

from collections.abc import Mapping
from typing import Any

from lm.config import Config, parse_config
from lm.config.identity import identity_of
from lm.data.dataset import Dataset, load_dataset
from lm.data.windows import steps_per_epoch
from lm.generation.prompt import PROMPT_OPTION, choose_prompt
from lm.serialization.source import check_source, init_digest
from lm.vectors.training_metrics import check_vocabulary
from sweeps.errors import UserError


def identify(raw_config: Mapping[str, Any]) -> dict[str, Any]:
    """Check a composed configuration against its text, before any work is spent on it.

    Returns:
      Plain values, equal for two configurations exactly if they compute the same.

    Raises:
      UserError: an option is out of range, or does not fit the others or the text.
    """
    config = parse_config(raw_config)
    text = load_dataset(config.data)
    _check_text(config, text)
    if config.init_from is not None:
        check_source(config.init_from, config.model, text.vocabulary.words)
    return identity_of(config, text.digest, init_digest(config))


def _check_text(config: Config, text: Dataset) -> None:
    """Refuse a text that is too short for its batches, or too poor for its loss or its prompt."""
    choose_prompt(config.log.sample_prompt, config.data, text, PROMPT_OPTION)
    if config.log.vector_scores:
        check_vocabulary(text.vocabulary.words, config.sweep.metric)
    steps_per_epoch(len(text.train), config.train)
    for split, ids in (("valid", text.valid), ("test", text.test)):
        if len(ids) <= config.train.sequence_length and (split == "valid" or len(ids)):
            raise UserError(
                f"The {split} split has {len(ids)} tokens, and one window of train.sequence_length="
                f"{config.train.sequence_length} takes {config.train.sequence_length + 1}; lower "
                "it, or give more held-out text."
            )
    vocab_size = len(text.vocabulary)
    if config.loss.kind != "softmax" and config.loss.samples >= vocab_size:
        raise UserError(
            f"loss.samples={config.loss.samples} must be below the vocabulary's size, "
            f"{vocab_size}; lower it or take loss.kind=softmax."
        )
