"""Models small enough to train in a moment."""

from collections.abc import Callable

import pytest

from benchmarks.harness.compose import compose_values
from lm.config import Config, parse_config

SMALL = (
    "data.vocab_size=60",
    "model.embed_size=6",
    "model.rnn_size=8",
    "model.hidden_size=7",
    "model.layers=2",
    "train.batch_size=3",
    "train.sequence_length=5",
    "train.clip_norm=0.2",
)


@pytest.fixture(scope="session")
def configure() -> Callable[..., Config]:
    """Further overrides -> the configuration of a small model."""
    return lambda *overrides: parse_config(compose_values([*SMALL, *overrides]))
