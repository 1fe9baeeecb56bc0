"""The log-uniform candidate sampler of the sampled losses, as TensorFlow defines it.

Word ids are sorted by frequency, so a Zipf-like law over ids stands for the unigram model:
P(k) = log((k + 2) / (k + 1)) / log(V + 1), k = 0 .. V - 1. Ids are drawn one after the other until
S different ones are found (`tf.random.log_uniform_candidate_sampler` with `unique=True`).

S samples (candidates), V vocabulary. `vocab_size` and S are static, and S < V: the last ids of a
vocabulary are so rare that waiting for all of them takes about V log(V)^2 draws.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax


class Candidates(NamedTuple):
    """One draw of different word ids, shared by a whole batch."""

    ids: jax.Array  # i32[S], in the order in which they were found
    tries: jax.Array  # i32[], draws it took, repeated ids included


_Search = tuple[jax.Array, jax.Array, Candidates]  # blocks drawn, ids found, the ids


def log_uniform_probability(ids: jax.Array, vocab_size: int) -> jax.Array:
    """P(k), the chance of each id in a single draw; the shape of `ids`."""
    # log((k + 2) / (k + 1)) itself rounds to few digits when k is large.
    return jnp.log1p(1 / (ids.astype(float) + 1)) / math.log1p(vocab_size)


def expected_count(ids: jax.Array, candidates: Candidates, vocab_size: int) -> jax.Array:
    """Q(k), how often each id is expected among the candidates; the shape of `ids`.

    1 - (1 - P)^tries, or S P where no draw was a repeat (TensorFlow's `range_sampler.cc`).
    """
    samples, tries = candidates.ids.shape[0], candidates.tries
    p = log_uniform_probability(ids, vocab_size)
    return jnp.where(tries == samples, samples * p, -jnp.expm1(tries * jnp.log1p(-p)))


def sample_log_uniform(key: jax.Array, samples: int, vocab_size: int) -> Candidates:
    """The first `samples` different ids of an endless sequence of log-uniform draws.

    The time depends on S and hardly on V: draws come in blocks of 2 S, and one block is nearly
    always enough unless S comes near V.

    Raises:
      ValueError: the vocabulary has no more than `samples` words; the search might never end.
    """
    if samples >= vocab_size:
        raise ValueError(f"{samples} candidates need a vocabulary above {vocab_size} words.")

    def add_block(state: _Search) -> _Search:
        block, count, found = state
        bits = jax.random.bits(jax.random.fold_in(key, block), (2 * samples,), jnp.uint32)
        draws = log_uniform_ids(bits, vocab_size)
        new = _first_occurrences(found.ids, draws)
        distinct = count + jnp.cumsum(new, dtype=jnp.int32)  # ids found up to and with each draw
        ids = found.ids.at[jnp.where(new, distinct - 1, samples)].set(draws, mode="drop")
        used = jnp.sum(distinct - new < samples, dtype=jnp.int32)
        return block + 1, distinct[-1], Candidates(ids, found.tries + used)

    zero = jnp.zeros((), jnp.int32)
    nothing = Candidates(jnp.full(samples, -1, jnp.int32), zero)
    *_, candidates = lax.while_loop(lambda s: s[1] < samples, add_block, (zero, zero, nothing))
    return candidates


def log_uniform_ids(bits: jax.Array, vocab_size: int) -> jax.Array:
    """Turn random u32 into log-uniform ids: floor((V + 1)^u) - 1, with u = bits / 2^32.

    u is split into its upper 6 and lower 26 bits: as one float32 exponent its rounding alone would
    move the rare ids of a large vocabulary (V above 100,000) by a good part of an id.
    """
    scale = math.log1p(vocab_size)
    upper = (bits >> 26).astype(jnp.float32) * (scale / 2**6)
    lower = (bits & (2**26 - 1)).astype(jnp.float32) * (scale / 2**32)
    ids = (jnp.exp(upper) * jnp.exp(lower)).astype(jnp.int32) - 1
    return jnp.clip(ids, 0, vocab_size - 1)  # the product can round up to V + 1


def _first_occurrences(seen: jax.Array, draws: jax.Array) -> jax.Array:
    """Which draws stand neither in `seen` nor earlier in `draws`; bool, the shape of `draws`."""
    everything = jnp.concatenate([seen, draws])
    order = jnp.argsort(everything, stable=True)  # equal ids stay in the order of their draws
    ranked = everything[order]
    first = jnp.concatenate([jnp.ones(1, bool), ranked[1:] != ranked[:-1]])
    return jnp.zeros(everything.shape, bool).at[order].set(first)[seen.shape[0] :]
