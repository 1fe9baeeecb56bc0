"""The continuous cache of Grave, Joulin and Usunier 2017: recent words are likely to recur.

The model's features h_i at each word read are kept with the word x_{i+1} that followed. Of the last
`window` of them, each that was followed by w votes for w with weight exp(theta h_t . h_i):

    p_cache(w | x_1 .. x_t) ~ sum over i = t - window .. t - 1 of [x_{i+1} = w] exp(theta h_t . h_i)
    p(w) = (1 - lambda) p_model(w) + lambda p_cache(w)

Nothing is trained. h is what the softmax sees, so of a model with a hidden layer its output.

R rows (words in text order), B streams, K words kept, D width of the features, S settings.
"""

import math
from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from numpy.typing import NDArray

BLOCK = 256
"""Rows that are compared with the words kept at a time."""

CacheSetting = tuple[int, float]
"""Window and theta."""


class NeuralCache(NamedTuple):
    """Settings of a cache and of its mixture with the model."""

    window: int
    """Words kept."""
    share: float
    """The paper's lambda, in [0, 1)."""
    theta: float
    """At least 0; with 0 all words kept have one vote."""


class CacheState(NamedTuple):
    """The words kept and the features they followed, the latest last."""

    features: Array
    """f32[K, B, D]."""
    words: Array
    """i32[K, B]: the word that came after; -1: there was none."""


def init_cache(kept: int, streams: int, features: int) -> CacheState:
    """State of a cache before the first word."""
    return CacheState(
        jnp.zeros((kept, streams, features), jnp.float32),
        jnp.full((kept, streams), -1, jnp.int32),
    )


@jax.jit
def advance_cache(
    state: CacheState, features: Array, words: Array, windows: Array, thetas: Array
) -> tuple[CacheState, Array]:
    """Log-probabilities of words by the cache alone, and the cache after them.

    Args:
      state: as long as the largest window, or longer.
      features: f32[R, B, D].
      words: i32[R, B]; -1: none, at a stream's end.
      windows: i32[S].
      thetas: f32[S].

    Returns:
      The state after them, and log p_cache f32[S, R, B]: -inf for a word that is not in the
      cache, NaN where the cache is empty.
    """
    rows = len(words)
    blocks = -(-rows // BLOCK)
    pad = blocks * BLOCK - rows
    features = jnp.pad(features, ((0, pad), (0, 0), (0, 0)))
    words = jnp.pad(words, ((0, pad), (0, 0)), constant_values=-1)
    counts = jnp.clip(rows - BLOCK * jnp.arange(blocks), 0, BLOCK)

    def body(state: CacheState, block: tuple[Array, Array, Array]) -> tuple[CacheState, Array]:
        return _block_log_probs(state, *block, windows, thetas)

    cut = (
        features.reshape(blocks, BLOCK, *features.shape[1:]),
        words.reshape(blocks, BLOCK, -1),
        counts,
    )
    state, found = lax.scan(body, state, cut)  # [blocks, S, BLOCK, B]
    found = jnp.moveaxis(found, 1, 0).reshape(len(windows), blocks * BLOCK, -1)
    return state, found[:, :rows]


def _block_log_probs(
    state: CacheState, features: Array, words: Array, count: Array, windows: Array, thetas: Array
) -> tuple[CacheState, Array]:
    """Log-probabilities of one block, of which the first `count` rows are real."""
    kept, rows = len(state.words), len(words)
    keys = jnp.concatenate([state.features, features])
    follows = jnp.concatenate([state.words, words])
    # TensorFloat-32 would round them to three digits, and theta enlarges that.
    scores = jnp.einsum("rbd,kbd->brk", features, keys, precision=lax.Precision.HIGHEST)
    age = kept + jnp.arange(rows)[:, None] - jnp.arange(kept + rows)[None, :]
    filled = (follows.T >= 0)[:, None, :]
    same = follows.T[:, None, :] == words.T[:, :, None]

    def one(setting: tuple[Array, Array]) -> Array:
        window, theta = setting
        inside = ((age >= 1) & (age <= window))[None, :, :] & filled
        top = jnp.where(inside, scores, -jnp.inf).max(axis=2, keepdims=True)
        votes = jnp.where(inside, jnp.exp(theta * (scores - top)), 0.0)
        won, cast = jnp.where(same, votes, 0.0).sum(axis=2), votes.sum(axis=2)
        return jnp.where(cast > 0, jnp.log(won) - jnp.log(cast), jnp.nan).T

    after = (lax.dynamic_slice_in_dim(array, count, kept) for array in (keys, follows))
    return CacheState(*after), lax.map(one, (windows, thetas))


def interpolate(
    log_probs: NDArray[np.float64], cache_log_probs: NDArray[np.floating], share: float
) -> NDArray[np.float64]:
    """Mix the model with its cache: log((1 - lambda) p_model + lambda p_cache).

    Where the cache is empty, it is the model's own.
    """
    empty = np.isnan(cache_log_probs)
    log_share = np.log(share) if share > 0 else -np.inf
    mixed = np.logaddexp(
        np.log1p(-share) + log_probs, log_share + np.where(empty, -np.inf, cache_log_probs)
    )
    return np.where(empty, log_probs, mixed)


def best_cache(
    log_probs: NDArray[np.float64],
    cache_log_probs: NDArray[np.floating],
    settings: Sequence[CacheSetting],
    shares: Sequence[float],
) -> NeuralCache:
    """Find the cache with the lowest perplexity; the first of equal ones.

    Args:
      log_probs: of the model, [N].
      cache_log_probs: of each setting's cache, [S, N].
      settings: S of them.
      shares: the values of lambda to try.
    """
    best, lowest = None, math.inf
    alone = zip(settings, cache_log_probs, strict=True)
    for ((window, theta), found), share in product(alone, shares):
        loss = -float(interpolate(log_probs, found, share).mean())
        if best is None or loss < lowest:
            best, lowest = NeuralCache(window=window, share=share, theta=theta), loss
    assert best is not None
    return best
