"""Curves finer than reports: what single updates gave, which one call for all of them brings along.

A call of the compiled program costs as much as a good part of a small model's update; a row of
numbers more costs nothing.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

TAGS = ("train/loss", "train/grad_norm", "train/grad_norm_clipped", "train/clipped_share")
"""TensorBoard's, of the fields of `lm.step.StepMetrics`."""


class Point(NamedTuple):
    """Means over some updates."""

    step: int
    """Updates made by then."""
    metrics: Mapping[str, float]
    """By TensorBoard tag."""


def points(step: int, updates: NDArray[np.float32], every: int) -> Iterator[Point]:
    """Means over each `every` updates, the last over what is left.

    Args:
      step: updates made before.
      updates: [updates, 4], of each what `StepMetrics` has.
      every: so many a point.
    """
    for first in range(0, len(updates), every):
        part = updates[first : first + every]
        means = part.mean(axis=0, dtype=np.float64)
        yield Point(step + first + len(part), dict(zip(TAGS, means.tolist(), strict=True)))
