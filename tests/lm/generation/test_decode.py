"""Sampling against a plain loop over words, and against the softmax's own probabilities."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from lm.config import parse_config
from lm.generation.decode import _draw_index, _first_above, sample, uniforms
from lm.model.language_model import LanguageModel

Compose = Callable[..., dict[str, Any]]
VOCAB = 13
NONE = jnp.zeros(0, jnp.int32)
PROMPT = jnp.array([[4, 1], [7, 0], [2, 9]], jnp.int32)
"""Three words of two samples."""


@pytest.fixture(scope="module")
def model(tiny: Compose) -> LanguageModel:
    config = parse_config(tiny("model.layers=2"))

    @nnx.jit
    def start(key: jax.Array) -> LanguageModel:
        return LanguageModel(config.model, VOCAB, rngs=nnx.Rngs(params=key))

    graph, params = nnx.split(start(jax.random.key(0)))
    # Large weights, so that the state of the recurrence matters.
    return nnx.merge(graph, jax.tree.map(lambda x: 4 * x, params))


@partial(nnx.jit, static_argnames=("window", "top_k"))
def draw(model: LanguageModel, *arguments: Any, **choices: Any) -> jax.Array:
    return sample(model, *arguments, **choices)


@nnx.jit
def read_word(model: LanguageModel, word: jax.Array, carry: Any) -> tuple[jax.Array, Any]:
    logits, carry = model(word[None, None], carry)
    return logits[0, 0], carry


def logits_after(model: LanguageModel, words: list[int], window: int | None = None) -> np.ndarray:
    """Logits of the word after these, read one by one from a zero state."""
    carry = model.zero_carry(1)
    for word in words if window is None else words[-window:]:
        logits, carry = read_word(model, jnp.int32(word), carry)
    return np.asarray(logits)


def chosen(shares: np.ndarray, uniform: float) -> int:
    """The word whose share of [0, 1) the number lies in, words in the order of their ids."""
    return int(np.searchsorted(np.cumsum(shares), uniform, side="right"))


def softmax(
    logits: np.ndarray, temperature: float, top_k: int | None = None, avoid: tuple[int, ...] = ()
) -> np.ndarray:
    """Softmax over the words that may be drawn, in float64."""
    logits = logits.astype(np.float64)
    logits[list(avoid)] = -np.inf
    if temperature == 0:
        return (logits == logits.max()).astype(np.float64)
    if top_k is not None:
        logits[np.argsort(logits)[:-top_k]] = -np.inf
    shares = np.exp((logits - logits.max()) / temperature)
    return shares / shares.sum()


@pytest.mark.parametrize("window", [None, 2, 5])
@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_words_are_those_of_a_loop_that_reads_one_word_at_a_time(
    model: LanguageModel, temperature: float, window: int | None
) -> None:
    """`window=2` is shorter than the prompt, 5 longer; 0.0 is the arg-max."""
    numbers = uniforms([1], 7, 2)
    found = draw(model, PROMPT, numbers, jnp.float32(temperature), NONE, window=window)
    for column in (0, 1):
        words = PROMPT[:, column].tolist()
        for share in numbers[:, column]:
            logits = logits_after(model, words, window)
            words.append(chosen(softmax(logits, temperature), share))
        assert found[:, column].tolist() == words[len(PROMPT) :]


@pytest.mark.parametrize(
    ("temperature", "top_k", "avoid"),
    [(1.0, None, ()), (2.0, 6, (3, 8)), (1.0, 1, ()), (1.0, VOCAB, (0, 12))],
)
def test_frequencies_are_those_of_the_softmax(
    model: LanguageModel, temperature: float, top_k: int | None, avoid: tuple[int, ...]
) -> None:
    count = 20_000
    prompt = jnp.tile(PROMPT[:, :1], (1, count))
    avoided, numbers = jnp.array(avoid, jnp.int32), uniforms([2], 1, count)
    found = draw(model, prompt, numbers, jnp.float32(temperature), avoided, top_k=top_k)
    counts = np.bincount(np.asarray(found)[0], minlength=VOCAB)
    shares = softmax(logits_after(model, PROMPT[:, 0].tolist()), temperature, top_k, avoid)
    error = np.sqrt(count * shares * (1 - shares))
    assert (abs(counts - count * shares) <= 4.5 * error).all()
    assert (counts[shares == 0] == 0).all()


@pytest.mark.parametrize("count", [2, 100])
def test_no_uniform_number_draws_a_word_without_probability(count: int) -> None:
    """The ends of [0, 1), and weights of which all but one are zero."""
    choose = jax.jit(_draw_index)
    numbers = jnp.array([0.0, 0.5, 1 - 2**-24], jnp.float32)
    for where in (0, count // 2, count - 1):
        weights = jnp.zeros((3, count)).at[:, where].set(0.3)
        assert choose(weights, numbers).tolist() == [where] * 3


def test_target_that_rounding_puts_outside_the_sums_takes_a_word_with_probability() -> None:
    weights = jnp.array([[0.0, 0.3, 0.0], [0.0, 0.0, 0.2]])
    for targets in ([0.3, 0.2], [0.4, 0.4], [-0.1, -0.1]):
        assert _first_above(weights, jnp.array(targets))[0].tolist() == [1, 2]


def test_sample_depends_neither_on_those_beside_it_nor_on_its_length(model: LanguageModel) -> None:
    def drawn(words: int, samples: int) -> np.ndarray:
        prompt = jnp.tile(PROMPT[:, :1], (1, samples))
        return np.asarray(draw(model, prompt, uniforms([3], words, samples), jnp.float32(1), NONE))

    many = drawn(12, 9)
    np.testing.assert_array_equal(many[:8, :4], drawn(8, 4))
    assert len({tuple(column) for column in many.T}) == 9


def test_another_temperature_does_not_recompile(model: LanguageModel) -> None:
    graph, params = nnx.split(model)
    traces = []

    @jax.jit
    def drawn(params: Any, temperature: jax.Array) -> jax.Array:
        traces.append(1)
        return sample(nnx.merge(graph, params), PROMPT, uniforms([4], 3, 2), temperature, NONE)

    for temperature in (0.0, 0.5, 2.0):
        drawn(params, jnp.float32(temperature))
    assert len(traces) == 1
