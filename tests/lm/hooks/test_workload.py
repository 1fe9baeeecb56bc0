"""Which of two trials a sweep takes to train longer, and so starts first."""

from collections.abc import Callable
from typing import Any

import pytest

from lm.hooks.workload import relative_cost

Compose = Callable[..., dict[str, Any]]

LONGER = [
    (["train.epochs=4"], ["train.epochs=3"]),
    (["model.rnn_size=128"], ["model.rnn_size=64"]),
    (["model.layers=2"], ["model.layers=1"]),
    (["model.embed_size=96"], ["model.embed_size=64"]),
    (["model.hidden_size=96"], ["model.hidden_size=64"]),
    (["model.cell=lstm"], ["model.cell=gru"]),
    (["model.cell=gru"], ["model.cell=rnn"]),
    (["loss.kind=softmax"], ["loss.kind=sampled_softmax"]),
    (["data.vocab_size=20000"], ["data.vocab_size=500"]),
    (["train.batch_size=8"], ["train.batch_size=64"]),
    (["train.predict=last", "train.sequence_length=20"], ["train.predict=last"]),
    (["train.predict=last"], ["train.predict=all"]),
]


@pytest.mark.parametrize(("longer", "shorter"), LONGER)
def test_what_multiplies_more_is_taken_to_train_longer(
    compose: Compose, longer: list[str], shorter: list[str]
) -> None:
    base = ["train.sequence_length=5", "data=sherlock"]
    assert relative_cost(compose(*base, *longer)) > relative_cost(compose(*base, *shorter))


def test_what_changes_no_arithmetic_changes_nothing(compose: Compose) -> None:
    assert relative_cost(compose("seed=1", "optimizer.learning_rate=1")) == relative_cost(
        compose("seed=2")
    )
