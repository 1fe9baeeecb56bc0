"""Ids on the device -> batches, cut inside the compiled program.

Shapes: L length of a stream, B streams side by side, T time. Streams are stored time-major, so
that a window of all of them is one contiguous slice.
"""

from typing import NamedTuple

import numpy as np
from jax import Array, lax
from numpy.typing import NDArray

Ids = NDArray[np.int32]


class Batch(NamedTuple):
    """What a step reads and what it has to predict."""

    inputs_tb: Array
    targets: Array
    """i32[T, B], each step's next word; or i32[B], the word after the window."""


def to_streams(ids: Ids, batch_size: int) -> Ids:
    """Lay a text out as [L, B]; column b is its b-th contiguous piece, the tail is dropped."""
    length = len(ids) // batch_size
    return np.ascontiguousarray(ids[: batch_size * length].reshape(batch_size, length).T)


def stateful_window(streams_lb: Array, index: Array, sequence_length: int) -> Batch:
    """Window number `index` of windows that touch; its targets are its inputs one word on."""
    window = lax.dynamic_slice_in_dim(streams_lb, index * sequence_length, sequence_length + 1)
    return Batch(window[:-1], window[1:])


def sliding_window(streams_lb: Array, start: Array, sequence_length: int) -> Batch:
    """The window that begins at `start`, and the word after it."""
    window = lax.dynamic_slice_in_dim(streams_lb, start, sequence_length + 1)
    return Batch(window[:-1], window[-1])
