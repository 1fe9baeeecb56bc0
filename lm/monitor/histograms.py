"""Histograms of arrays.

Arrays of JAX are counted on their device, so that only the counts leave it. Small ones are copied
into one array and counted in one loop: the compiled program stays small, whatever their number. A
large one has a loop of its own and is not copied. Arrays of NumPy are counted by NumPy, which has
nothing to compile. Both count a chunk at a time, for memory for the buckets of all numbers would
take longer to allocate than to fill. Only finite numbers are counted.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from numpy.typing import NDArray

from sweeps.tensorboard import Histogram

LINEAR_BUCKETS = 64
"""Number of buckets of equal width."""
OCTAVES = 12
"""Powers of two below the largest magnitude that have buckets of their own, two for each."""
LOG_BUCKETS = 4 * OCTAVES + 1
"""Number of buckets of logarithmic width, on both sides of zero and around it."""
CHUNK = 1024
NUMPY_CHUNK = 2**15
"""Numbers that NumPy counts at a time: many enough to hide its overhead for a call, few enough
for a processor's cache."""
LARGE_ARRAY = 2**18
"""Fewest numbers of a large array."""
TINIEST, HUGEST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)

BucketIndex = Callable[[Any, Any, Any], Any]
"""(numbers, smallest, largest) -> bucket of each number, as a float; arrays of JAX or NumPy."""


@partial(jax.tree_util.register_dataclass, data_fields=["ends", "counts"], meta_fields=["names"])
@dataclass(frozen=True)
class HistogramCounts:
    """Counts of the histograms of N arrays."""

    names: tuple[str, ...]
    ends: Array | NDArray[np.float32]
    """f32[N, 2]: smallest and largest number of each; both NaN where none is finite."""
    counts: Array | NDArray[np.int64]
    """int[N, buckets]; counts in float32 could not pass 2^24."""


def linear_histograms(arrays: Mapping[str, Any]) -> HistogramCounts:
    """Histograms with buckets of equal width, from the smallest number to the largest.

    For activations and weights.
    """

    def place(x: Any, least: Any, largest: Any) -> Any:
        xp = x.__array_namespace__()
        width = xp.clip(largest - least, TINIEST, HUGEST)
        return xp.clip((x - least) / width * LINEAR_BUCKETS, 0, LINEAR_BUCKETS - 1)

    return _count(arrays, LINEAR_BUCKETS, place)


def log_histograms(arrays: Mapping[str, Any]) -> HistogramCounts:
    """Histograms with buckets that get narrower towards zero, on both sides of it.

    For gradients, which spread over many orders of magnitude. The bucket in the middle holds what
    is more than `OCTAVES` powers of two below the largest magnitude.
    """
    half = 2 * OCTAVES

    def place(x: Any, least: Any, largest: Any) -> Any:
        xp = x.__array_namespace__()
        magnitude = xp.maximum(xp.maximum(-least, largest), TINIEST)
        below = xp.floor(-2 * xp.log2(xp.abs(x) / magnitude))
        from_zero = half - xp.clip(below, 0, half)
        return half + xp.where(x < 0, -from_zero, from_zero)

    return _count(arrays, LOG_BUCKETS, place)


def _count(arrays: Mapping[str, Any], buckets: int, place: BucketIndex) -> HistogramCounts:
    if all(isinstance(x, np.ndarray) for x in arrays.values()):
        found = [_count_on_host(x.reshape(-1), buckets, place) for x in arrays.values()]
        return HistogramCounts(
            tuple(arrays), *(np.stack(part) for part in zip(*found, strict=True))
        )
    large = [name for name, x in arrays.items() if x.size >= LARGE_ARRAY]
    small = [name for name in arrays if name not in large]
    parts = [_count_large(arrays[name].reshape(-1), buckets, place) for name in large]
    if small:
        parts.append(_count_small([arrays[name] for name in small], buckets, place))
    ends, counts = (jnp.concatenate(part) for part in zip(*parts, strict=True))
    return HistogramCounts(
        (*large, *small), jnp.where(ends[:, :1] <= ends[:, 1:], ends, jnp.nan), counts
    )


def _count_on_host(
    x: NDArray[np.float32], buckets: int, place: BucketIndex
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Count an array in the host's memory: ends, f32[2], and counts, i64[buckets]."""
    finite = np.isfinite(x)
    if not finite.all():
        x = x[finite]
    counts = np.zeros(buckets, np.int64)
    if not len(x):
        return np.full(2, np.nan, np.float32), counts
    ends = np.stack([x.min(), x.max()])
    with np.errstate(all="ignore"):
        for first in range(0, len(x), NUMPY_CHUNK):
            bucket = place(x[first : first + NUMPY_CHUNK], *ends).astype(np.intp)
            counts += np.bincount(bucket, minlength=buckets)
    return ends, counts


def _count_large(x: Array, buckets: int, place: BucketIndex) -> tuple[Array, Array]:
    """Count a large array on its device: ends, f32[1, 2], and counts, i32[1, buckets]."""
    least, largest = _finite_range(x)

    def add(number: Array, counts: Array) -> Array:
        first = jnp.minimum(number * CHUNK, x.size - CHUNK)  # the last one overlaps that before it
        chunk = lax.dynamic_slice(x, (first,), (CHUNK,))
        counted = jnp.isfinite(chunk) & (first + jnp.arange(CHUNK) >= number * CHUNK)
        bucket = place(chunk, least, largest).astype(jnp.int32)
        return counts.at[jnp.where(counted, bucket, buckets)].add(1, mode="drop")

    counts = lax.fori_loop(0, -(-x.size // CHUNK), add, jnp.zeros(buckets, jnp.int32))
    return jnp.stack([least, largest])[None], counts[None]


def _count_small(arrays: Sequence[Array], buckets: int, place: BucketIndex) -> tuple[Array, Array]:
    """Count small arrays on their device: ends, f32[N, 2], and counts, i32[N, buckets].

    They are padded with NaN, which is not counted.
    """
    chunks = [_chunks(x) for x in arrays]
    owner = np.repeat(np.arange(len(chunks), dtype=np.int32), [len(part) for part in chunks])
    x = jnp.concatenate(chunks)
    least, largest = _finite_range(x)
    least = jax.ops.segment_min(least, owner, len(chunks), indices_are_sorted=True)
    largest = jax.ops.segment_max(largest, owner, len(chunks), indices_are_sorted=True)

    def add(counts: Array, chunk: tuple[Array, Array]) -> tuple[Array, None]:
        x, owner = chunk
        bucket = place(x, least[owner], largest[owner]).astype(jnp.int32) + buckets * owner
        bucket = jnp.where(jnp.isfinite(x), bucket, len(counts))
        return counts.at[bucket].add(1, mode="drop"), None

    counts = jnp.zeros(len(chunks) * buckets, jnp.int32)
    counts, _ = lax.scan(add, counts, (x, jnp.asarray(owner)))
    return jnp.stack([least, largest], axis=1), counts.reshape(len(chunks), buckets)


def _finite_range(x: Array) -> tuple[Array, Array]:
    """Smallest and largest finite number; inf and -inf where there is none."""
    finite = jnp.isfinite(x)
    least = jnp.where(finite, x, jnp.inf).min(axis=-1)
    return least, jnp.where(finite, x, -jnp.inf).max(axis=-1)


def _chunks(x: Array) -> Array:
    x = x.reshape(-1)
    return jnp.pad(x, (0, -len(x) % CHUNK), constant_values=jnp.nan).reshape(-1, CHUNK)


def to_histograms(counted: HistogramCounts) -> Iterator[tuple[str, Histogram]]:
    """Histograms by name, without empty buckets at the ends; none of an array without numbers."""
    for name, ends, counts in zip(
        counted.names, np.asarray(counted.ends), np.asarray(counted.counts), strict=True
    ):
        (filled,) = np.nonzero(counts)
        if len(filled):
            find_edges = _log_edges if len(counts) == LOG_BUCKETS else _linear_edges
            edges = find_edges(*map(float, ends))
            first, last = filled[0], filled[-1] + 1
            yield name, Histogram(edges[first : last + 1].tolist(), counts[first:last].tolist())


def _linear_edges(least: float, largest: float) -> NDArray[np.float64]:
    if least == largest:  # one bucket holds all; it is one wide, as in TensorBoard's own summaries
        return least - 0.5 + np.arange(LINEAR_BUCKETS + 1.0)
    return np.linspace(least, largest, LINEAR_BUCKETS + 1)


def _log_edges(least: float, largest: float) -> NDArray[np.float64]:
    magnitude = max(-least, largest) or 1.0
    side = magnitude * 2.0 ** (-np.arange(2 * OCTAVES, -1, -1) / 2)
    return np.concatenate([-side[::-1], side])
