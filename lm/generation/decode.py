"""Draw words from a language model, one after another, in one compiled loop.

A model trained with `predict=last` always began at a zero state. So it reads the last words anew
before each draw, as its evaluation does. Any other model carries its state along.

`sample` writes a text in one go, compiled for its length; `decode` goes on with one for a number of
words that is an array.

N samples side by side, P words of the prompt, S words of a `decode` at most, T words of a window, V
vocabulary, R rows of C words.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax, nn
from numpy.typing import NDArray

from lm.model.language_model import LanguageModel

Memory = Any
"""State of the words read so far: carries of the layers, or a window of words."""


class Stepper(NamedTuple):
    """One step of a model: reads a word of each sample."""

    start: Memory
    """Memory before the first word."""
    step: Callable[[Array, Memory], tuple[Array, Memory]]
    """(next words i32[N], memory of the words before) -> (features f32[N, D], memory of all)."""


class DecodeState(NamedTuple):
    """State of N texts that are being decoded."""

    ids: Array
    """i32[N]: the last word of each text, which the model has not read yet."""
    memory: Memory
    """Memory of the words before it."""


class SamplingParams(NamedTuple):
    """Options of drawing words."""

    temperature: Array
    """f32[]; logits are divided by it, and 0 takes the likeliest word."""
    avoid: Array
    """i32[A], words that are not drawn; the others share their probability."""
    top_k: Array
    """i32[]; words are drawn from this many of the likeliest."""


def uniforms(seed: Sequence[int], words: int, samples: int, first: int = 0) -> NDArray[np.float32]:
    """Draw the uniform random numbers in [0, 1) that decide the words of samples, f32[words, N].

    Samples are numbered from `first`. Each has its own stream, so that more words or more samples
    keep the numbers of fewer. NumPy draws them, because JAX would take longer to compile this than
    the model.
    """
    streams = [np.random.default_rng([*seed, first + n]) for n in range(samples)]
    return np.stack([stream.random(words, np.float32) for stream in streams], axis=1)


def sample(
    model: LanguageModel,
    prompt_pn: Array,
    uniforms_wn: Array,
    temperature: Array,
    avoid: Array,
    *,
    window: int | None = None,
    top_k: int | None = None,
) -> Array:
    """Continue a prompt. A sample does not depend on the other samples, but for rounding.

    Args:
      model: with its parameters.
      prompt_pn: i32[P, N], at least one word.
      uniforms_wn: f32[words, N] in [0, 1), of `uniforms`; a word is drawn for each row.
      temperature: f32[]; logits are divided by it, and 0 takes the likeliest word.
      avoid: i32[A], words that are not drawn; the others share their probability.
      window: words read from a zero state before each draw; None: the state is carried along.
      top_k: words are drawn from this many of the likeliest; None: from all.

    Returns:
      i32[words, N].
    """
    words, first = len(uniforms_wn), len(prompt_pn) - 1
    given_sn = jnp.pad(prompt_pn[1:], ((0, words), (0, 0)), constant_values=-1)
    uniforms_sn = jnp.pad(uniforms_wn, ((first, 0), (0, 0)))
    sampling = SamplingParams(temperature, avoid, jnp.int32(top_k or 0))
    state = start_decoding(model, prompt_pn[0], window=window)
    arguments = (model, state, given_sn, uniforms_sn, len(uniforms_sn), sampling)
    return decode(*arguments, window=window, max_top_k=top_k)[1][first:]


def start_decoding(model: LanguageModel, ids_n: Array, *, window: int | None) -> DecodeState:
    """Begin N texts with one word each, i32[N]."""
    return DecodeState(ids_n, _stepper(model, len(ids_n), window).start)


def decode(
    model: LanguageModel,
    state: DecodeState,
    given_sn: Array,
    uniforms_sn: Array,
    steps: Array | int,
    sampling: SamplingParams,
    *,
    window: int | None,
    max_top_k: int | None,
    scored: bool = False,
) -> tuple[DecodeState, Array, Array]:
    """Add words to texts.

    Args:
      model: with its parameters.
      state: the texts; the model has read all but their last words.
      given_sn: i32[S, N], words to add; -1: one is drawn.
      uniforms_sn: f32[S, N] in [0, 1), of `uniforms`.
      steps: how many words are added, S at most; i32[] where it changes from call to call.
      sampling: how they are drawn.
      window: as of `sample`.
      max_top_k: upper bound of `sampling.top_k`, a compile-time constant; None: draw from all.
      scored: whether log-probabilities are computed.

    Returns:
      The texts, the words added i32[S, N], and the log-probability of each by the model's own
      softmax over all words, f32[S, N] in nats; only the first `steps` rows of both count.
    """
    stepper = _stepper(model, uniforms_sn.shape[1], window)
    allowed_v = jnp.ones(model.output.bias.shape, bool).at[sampling.avoid].set(False)

    def body(
        step: Array, loop: tuple[DecodeState, Array, Array]
    ) -> tuple[DecodeState, Array, Array]:
        state, ids_sn, scores_sn = loop
        features_nd, memory = stepper.step(*state)
        logits_nv = model.logits(features_nd)
        allowed_nv = jnp.where(allowed_v[None, :], logits_nv, -jnp.inf)
        ids_n = _draw(allowed_nv, uniforms_sn[step], sampling, max_top_k)
        # A prompt is read in the same loop: a second copy of the model compiles as long again.
        ids_n = jnp.where(given_sn[step] < 0, ids_n, given_sn[step])
        if scored:
            scores_n = _log_probabilities(logits_nv, ids_n)
            scores_sn = scores_sn.at[step].set(scores_n)
        return DecodeState(ids_n, memory), ids_sn.at[step].set(ids_n), scores_sn

    nothing = jnp.zeros(uniforms_sn.shape, jnp.int32), jnp.zeros(uniforms_sn.shape)
    found: tuple[DecodeState, Array, Array] = lax.fori_loop(0, steps, body, (state, *nothing))
    return found


def _log_probabilities(logits_nv: Array, ids_n: Array) -> Array:
    """Log-probabilities of the words `ids_n`, f32[N], nats."""
    own_n = jnp.take_along_axis(logits_nv, ids_n[:, None], axis=1)[:, 0]
    return own_n - nn.logsumexp(logits_nv, axis=1)


def _draw(
    logits_nv: Array, uniforms_n: Array, sampling: SamplingParams, max_top_k: int | None
) -> Array:
    """Draw one word for each sample from softmax(logits / temperature); i32[N]."""
    words = None
    if max_top_k is not None:
        logits_nv, words = lax.top_k(logits_nv, min(max_top_k, logits_nv.shape[1]))
        beyond_v = jnp.arange(logits_nv.shape[1]) >= sampling.top_k
        logits_nv = jnp.where(beyond_v[None, :], -jnp.inf, logits_nv)
    below = logits_nv - logits_nv.max(axis=1, keepdims=True)
    ids_n = _draw_index(jnp.exp(below / jnp.maximum(sampling.temperature, 1e-30)), uniforms_n)
    if words is None:
        return ids_n
    return jnp.take_along_axis(words, ids_n[:, None], axis=1)[:, 0]


def _draw_index(weights_nv: Array, uniforms_n: Array) -> Array:
    """Index at which the running sum of weights passes that share of their total; i32[N].

    First the row of C words, then the word: on CPUs it takes a tenth of the time that a running sum
    or an arg-max over all words takes.
    """
    samples, count = weights_nv.shape
    columns = math.isqrt(count - 1) + 1
    padded = jnp.pad(weights_nv, ((0, 0), (0, -count % columns)))
    weights_nrc = padded.reshape(samples, -1, columns)
    sums_nr = weights_nrc.sum(axis=2)
    rows_n, left_n = _first_above(sums_nr, uniforms_n * sums_nr.sum(axis=1))
    weights_nc = jnp.take_along_axis(weights_nrc, rows_n[:, None, None], axis=1)[:, 0]
    return rows_n * columns + _first_above(weights_nc, left_n)[0]


def _first_above(weights_nk: Array, targets_n: Array) -> tuple[Array, Array]:
    """First index at which the running sum of weights exceeds a target, i32[N], and what is left of
    the target after the sum before it, f32[N].

    The index is never one of a zero weight, however sums are rounded.
    """
    sums_nk = jnp.cumsum(weights_nk, axis=1)
    possible = weights_nk > 0
    places_n = jnp.argmax(1 * possible + (possible & (sums_nk > targets_n[:, None])), axis=1)
    before_nk = sums_nk - weights_nk
    return places_n, targets_n - jnp.take_along_axis(before_nk, places_n[:, None], axis=1)[:, 0]


def _stepper(model: LanguageModel, samples: int, window: int | None) -> Stepper:
    if window is None:
        return _stateful_stepper(model, samples)
    return _sliding_window_stepper(model, samples, window)


def _stateful_stepper(model: LanguageModel, samples: int) -> Stepper:
    def step(ids_n: Array, carries: Memory) -> tuple[Array, Memory]:
        features_tnd, carries = model.features(ids_n[None, :], carries)
        return features_tnd[0], carries

    return Stepper(model.zero_carry(samples), step)


def _sliding_window_stepper(model: LanguageModel, samples: int, length: int) -> Stepper:
    """A stepper whose memory is a window i32[T, N] and the number of its words in use."""

    def step(ids_n: Array, memory: Memory) -> tuple[Array, Memory]:
        window_tn, used = memory
        full = used == length
        window_tn = jnp.where(full, jnp.roll(window_tn, -1, axis=0), window_tn)
        used = jnp.where(full, length, used + 1)
        window_tn = window_tn.at[used - 1].set(ids_n)
        features_tnd, _ = model.features(window_tn, model.zero_carry(samples))
        return features_tnd[used - 1], (window_tn, used)

    return Stepper((jnp.zeros((length, samples), jnp.int32), jnp.int32(0)), step)
