"""Perplexity against reading the text one word at a time."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from lm.config import Config, TrainConfig, parse_config
from lm.model.language_model import LanguageModel
from lm.training.heldout import SLIDING_WINDOWS, HeldOut, make_windows, mean_loss, window_losses
from sweeps.errors import UserError

Compose = Callable[..., dict[str, Any]]
VOCAB, BATCH, TIME = 13, 4, 5
TOLERANCE = 1e-6


@pytest.fixture(scope="module")
def config(tiny: Compose) -> Config:
    return parse_config(tiny(f"train.batch_size={BATCH}", f"train.sequence_length={TIME}"))


@pytest.fixture(scope="module")
def model(config: Config) -> LanguageModel:
    fresh = LanguageModel(config.model, VOCAB, rngs=nnx.Rngs(params=jax.random.key(0)))
    graph, params = nnx.split(fresh)
    # Large weights, so that the state of the recurrence matters.
    return nnx.merge(graph, jax.tree.map(lambda x: 4 * x, params))


def text(count: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, VOCAB, count).astype(np.int32)


losses_of_windows = nnx.jit(window_losses)


def evaluate(model: LanguageModel, ids: np.ndarray, train: TrainConfig, room: int) -> float:
    return mean_loss(losses_of_windows(model, make_windows(ids, train, room)), len(ids), train)


@nnx.jit
def read_word(model: LanguageModel, word: jax.Array, carry: Any) -> tuple[jax.Array, Any]:
    logits, carry = model(word[None, None], carry)
    return logits[0, 0], carry


def word_by_word(model: LanguageModel, ids: np.ndarray) -> list[float]:
    """Negative log-likelihood of every word but the first, from a zero state, in float64."""
    carry, losses = model.zero_carry(1), []
    for word, after in pairwise(ids):
        logits, carry = read_word(model, jnp.int32(word), carry)
        exact = np.asarray(logits, np.float64)
        losses.append(float(np.log(np.exp(exact).sum()) - exact[after]))
    return losses


@pytest.mark.parametrize("count", [2, 21, 22, 59, 83])
def test_predict_all_equals_reading_word_by_word(
    model: LanguageModel, config: Config, count: int
) -> None:
    """Each stream is a contiguous piece of the text, read from a zero state to its end."""
    ids = text(count)
    rows = -(-(count - 1) // BATCH)
    # A piece overlaps the next by a word, which is the last target of one and the first input of
    # the other.
    pieces = [ids[first : first + rows + 1] for first in range(0, count - 1, rows)]
    losses = [loss for piece in pieces for loss in word_by_word(model, piece)]
    assert len(losses) == count - 1
    found = evaluate(model, ids, config.train, room=100)
    assert found == pytest.approx(np.mean(losses), rel=TOLERANCE)


def test_predict_all_in_one_stream_equals_reading_the_text_once(
    model: LanguageModel, config: Config
) -> None:
    expected = np.mean(word_by_word(model, text(38)))
    for option in ("batch_size", "eval_batch_size"):
        train = replace(config.train, **{option: 1})
        assert evaluate(model, text(38), train, 37) == pytest.approx(expected, rel=TOLERANCE)


@pytest.mark.parametrize("count", [6, 23])
def test_predict_last_equals_reading_each_window_from_a_zero_state(
    model: LanguageModel, config: Config, count: int
) -> None:
    train = replace(config.train, predict="last")
    ids = text(count)
    windows = [ids[first : first + TIME + 1] for first in range(count - TIME)]
    losses = [word_by_word(model, window)[-1] for window in windows]
    found = evaluate(model, ids, train, room=30)
    assert found == pytest.approx(np.mean(losses), rel=TOLERANCE)


@pytest.mark.parametrize(
    ("predict", "streams"), [("all", None), ("all", 1), ("all", 3), ("all", 9), ("last", None)]
)
@pytest.mark.parametrize("count", [6, 21, 22, 23, 24, 25, 100, 261, 262, 517])
def test_every_word_with_context_is_a_target_exactly_once(
    config: Config, predict: str, streams: int | None, count: int
) -> None:
    train = replace(config.train, predict=predict, eval_batch_size=streams)
    ids = np.arange(count, dtype=np.int32)
    held_out = make_windows(ids, train, room=600)
    targets = np.asarray(held_out.targets)[: int(held_out.windows)]
    first = 1 if predict == "all" else TIME
    assert sorted(targets[targets >= 0]) == list(range(first, count))
    # And the word read with it is the one before it.
    inputs = np.asarray(held_out.inputs)[: int(held_out.windows)]
    before = inputs if predict == "all" else inputs[:, -1]
    np.testing.assert_array_equal(before[targets >= 0] + 1, targets[targets >= 0])


@pytest.mark.parametrize("predict", ["all", "last"])
def test_room_for_a_longer_text_changes_nothing(
    model: LanguageModel, config: Config, predict: str
) -> None:
    train = replace(config.train, predict=predict)
    ids = text(SLIDING_WINDOWS + 60)
    tight = evaluate(model, ids, train, room=len(ids) - 1)
    assert evaluate(model, ids, train, room=3 * len(ids)) == tight


@pytest.mark.parametrize("predict", ["all", "last"])
def test_texts_that_share_room_share_one_shape(config: Config, predict: str) -> None:
    train = replace(config.train, predict=predict)

    def shapes(held_out: HeldOut) -> list[tuple[int, ...]]:
        return [array.shape for array in held_out]

    assert shapes(make_windows(text(300), train, 299)) == shapes(make_windows(text(17), train, 299))


def test_text_with_nothing_to_predict_is_refused(config: Config) -> None:
    train = replace(config.train, predict="last")
    with pytest.raises(UserError, match="has 5 tokens, and 6 are needed"):
        mean_loss(jnp.zeros(1), 5, train)
