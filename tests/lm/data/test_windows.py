"""Counts of windows and predictions against counting them one by one."""

from types import SimpleNamespace
from typing import Any

import pytest

from lm.data.windows import num_predictions, steps_per_epoch
from sweeps.errors import UserError


def train(predict: str, batch_size: int, sequence_length: int) -> Any:
    return SimpleNamespace(
        predict=predict,
        batch_size=batch_size,
        accumulate=1,
        streams=batch_size,
        sequence_length=sequence_length,
    )


@pytest.mark.parametrize("predict", ["all", "last"])
@pytest.mark.parametrize("batch_size", [1, 3, 4])
@pytest.mark.parametrize("length", [1, 2, 5])
@pytest.mark.parametrize("tokens", [24, 25, 29, 64])
def test_steps_are_the_windows_that_fit_with_the_word_after_them(
    predict: str, batch_size: int, length: int, tokens: int
) -> None:
    stride = length if predict == "all" else 1
    stream = tokens // batch_size
    counted = sum(first + length < stream for first in range(0, stream, stride))
    assert steps_per_epoch(tokens, train(predict, batch_size, length)) == counted


@pytest.mark.parametrize("predict", ["all", "last"])
def test_one_batch_is_enough_and_a_word_less_is_refused(predict: str) -> None:
    options = train(predict, 4, 5)
    assert steps_per_epoch(24, options) == 1
    with pytest.raises(UserError, match=r"has 23 tokens, but one batch of .* takes 24; lower"):
        steps_per_epoch(23, options)


def test_predictions_are_all_words_with_their_context() -> None:
    assert num_predictions(20, train("all", 4, 5)) == 19
    assert num_predictions(20, train("last", 4, 5)) == 15
    assert num_predictions(6, train("last", 4, 5)) == 1
    with pytest.raises(UserError, match="has 5 tokens, and 6 are needed"):
        num_predictions(5, train("last", 4, 5))
    with pytest.raises(UserError, match="has 1 tokens, and 2 are needed"):
        num_predictions(1, train("all", 4, 5))
