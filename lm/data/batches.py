"""Batches: windows of the ids on the device, cut inside the compiled program.

Shapes: L length of a stream, B streams side by side, T time. Streams are stored time-major, so
that a window of all of them is one contiguous slice.
"""

from typing import NamedTuple

import numpy as np
from jax import Array, lax
from numpy.typing import NDArray

Ids = NDArray[np.int32]


class Batch(NamedTuple):
    """The words that a step reads, and those that it predicts."""

    inputs_tb: Array
    targets: Array
    """i32[T, B], each step's next word; or i32[B], the word after the window."""


def to_streams(ids: Ids, batch_size: int) -> Ids:
    """Lay a text out as streams [L, B]: column b is the b-th contiguous piece; drops the tail."""
    length = len(ids) // batch_size
    return np.ascontiguousarray(ids[: batch_size * length].reshape(batch_size, length).T)


def stateful_window(streams_lb: Array, index: Array, sequence_length: int) -> Batch:
    """Cut window `index` of windows that touch, each going on where the last one ended.

    The targets are the inputs one word on: i32[T, B].
    """
    window = lax.dynamic_slice_in_dim(streams_lb, index * sequence_length, sequence_length + 1)
    return Batch(window[:-1], window[1:])


def sliding_window(streams_lb: Array, start: Array, sequence_length: int) -> Batch:
    """Cut the window that begins at `start`; the target is the word after it, i32[B]."""
    window = lax.dynamic_slice_in_dim(streams_lb, start, sequence_length + 1)
    return Batch(window[:-1], window[-1])
