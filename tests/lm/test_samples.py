"""Sampling against a plain loop over words, and against the softmax's own probabilities."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from lm.config import typed
from lm.model import LanguageModel
from lm.samples import sample

Compose = Callable[..., dict[str, Any]]
VOCAB = 13
NONE = jnp.zeros(0, jnp.int32)
KEY = jax.random.key(3)
PROMPT = jnp.array([[4, 1], [7, 0], [2, 9]], jnp.int32)
"""Three words of two samples."""


@pytest.fixture(scope="module", params=["lstm", "gru"])
def model(request: pytest.FixtureRequest, tiny: Compose) -> LanguageModel:
    config = typed(tiny(f"model.cell={request.param}", "model.layers=2"))
    fresh = LanguageModel(config.model, VOCAB, rngs=nnx.Rngs(params=jax.random.key(0)))
    graph, params = nnx.split(fresh)
    # Large weights, so that the state of the recurrence matters.
    return nnx.merge(graph, jax.tree.map(lambda x: 4 * x, params))


@partial(nnx.jit, static_argnames=("words", "window", "top_k"))
def draw(model: LanguageModel, *arguments: Any, **choices: Any) -> jax.Array:
    return sample(model, *arguments, **choices)


@nnx.jit
def read_word(model: LanguageModel, word: jax.Array, carry: Any) -> tuple[jax.Array, Any]:
    features, carry = model(word[None, None], carry)
    logits = features[0, 0] @ model.output.weight[...].T + model.output.bias[...]
    return logits, carry


def logits_after(model: LanguageModel, words: list[int], window: int | None = None) -> np.ndarray:
    """Of the word after these, read one by one from a zero state."""
    carry = model.zero_carry(1)
    for word in words if window is None else words[-window:]:
        logits, carry = read_word(model, jnp.int32(word), carry)
    return np.asarray(logits)


def word_by_word(
    model: LanguageModel, column: int, count: int, temperature: float, window: int | None
) -> list[int]:
    """What a sample's words are by a plain loop, each from all the words before it."""
    key, words = jax.random.fold_in(KEY, column), [int(i) for i in PROMPT[:, column]]
    for place in range(count):
        noise = np.asarray(jax.random.gumbel(jax.random.fold_in(key, place), (VOCAB,)))
        words.append(int(np.argmax(logits_after(model, words, window) + temperature * noise)))
    return words[len(PROMPT) :]


@pytest.mark.parametrize("window", [None, 2, 3, 5])
@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_words_are_those_of_a_loop_that_reads_one_word_at_a_time(
    model: LanguageModel, temperature: float, window: int | None
) -> None:
    """`window=2` is shorter than the prompt, 5 longer; 0.0 is the arg-max."""
    found = draw(model, PROMPT, KEY, jnp.float32(temperature), NONE, words=7, window=window)
    expected = [word_by_word(model, column, 7, temperature, window) for column in (0, 1)]
    assert np.asarray(found).T.tolist() == expected


def expected_shares(logits: np.ndarray, temperature: float, top_k: int | None, avoid: list[int]):
    """The softmax over the words that may be drawn."""
    logits = logits.astype(np.float64) / temperature
    logits[avoid] = -np.inf
    if top_k is not None:
        logits[np.argsort(logits)[:-top_k]] = -np.inf
    shares = np.exp(logits - logits.max())
    return shares / shares.sum()


@pytest.mark.parametrize(
    ("temperature", "top_k", "avoid"), [(1.0, None, []), (2.5, 4, []), (2.0, 6, [3, 8])]
)
def test_frequencies_are_those_of_the_softmax(
    model: LanguageModel, temperature: float, top_k: int | None, avoid: list[int]
) -> None:
    count = 20_000
    prompt = jnp.tile(PROMPT[:, :1], (1, count))
    avoided = jnp.array(avoid, jnp.int32)
    found = draw(model, prompt, KEY, jnp.float32(temperature), avoided, words=1, top_k=top_k)
    counts = np.bincount(np.asarray(found)[0], minlength=VOCAB)
    shares = expected_shares(logits_after(model, PROMPT[:, 0].tolist()), temperature, top_k, avoid)
    error = np.sqrt(count * shares * (1 - shares))
    assert (abs(counts - count * shares) <= 4.5 * error).all()
    assert (counts[shares == 0] == 0).all()


def test_sample_does_not_depend_on_those_beside_it(model: LanguageModel) -> None:
    many = jnp.tile(PROMPT[:, :1], (1, 9))
    temperature = jnp.float32(1)
    nine = np.asarray(draw(model, many, KEY, temperature, NONE, words=12))
    four = np.asarray(draw(model, many[:, :4], KEY, temperature, NONE, words=12))
    np.testing.assert_array_equal(nine[:, :4], four)
    assert len({tuple(column) for column in nine.T}) == 9


def test_more_words_keep_the_first_ones(model: LanguageModel) -> None:
    few = draw(model, PROMPT, KEY, jnp.float32(1), NONE, words=5)
    more = draw(model, PROMPT, KEY, jnp.float32(1), NONE, words=8)
    np.testing.assert_array_equal(more[:5], few)


def test_another_temperature_does_not_recompile(model: LanguageModel) -> None:
    graph, params = nnx.split(model)
    traces = []

    @jax.jit
    def drawn(params: Any, temperature: jax.Array) -> jax.Array:
        traces.append(1)
        return sample(nnx.merge(graph, params), PROMPT, KEY, temperature, NONE, words=3)

    for temperature in (0.0, 0.5, 2.0):
        drawn(params, jnp.float32(temperature))
    assert len(traces) == 1
