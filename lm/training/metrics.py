"""Curves finer than reports: what single updates gave, which one call for all of them brings along.

A call of the compiled program costs as much as a good part of a small model's update; a row of
numbers more costs nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from lm.config.sizes import STEPS_PER_CALL

TAGS = ("train/loss", "train/grad_norm", "train/grad_norm_clipped", "train/clipped_share")
"""TensorBoard's, of the fields of `lm.training.metrics.StepMetrics`."""


class CurvePoint(NamedTuple):
    """Means over some updates."""

    step: int
    """Updates made by then."""
    metrics: Mapping[str, float]
    """By TensorBoard tag."""


def curve_points(step: int, updates: NDArray[np.float32], every: int) -> Iterator[CurvePoint]:
    """Means over each `every` updates, the last over what is left.

    Args:
      step: updates made before.
      updates: [updates, 4], of each what `StepMetrics` has.
      every: so many a point.
    """
    for first in range(0, len(updates), every):
        part = updates[first : first + every]
        means = part.mean(axis=0, dtype=np.float64)
        yield CurvePoint(step + first + len(part), dict(zip(TAGS, means.tolist(), strict=True)))


class StepMetrics(NamedTuple):
    """Of one step; or, summed, of several."""

    loss: Array
    """Training loss in nats per target, without penalties."""
    grad_norm: Array
    """Global norm of the gradient, that of the penalties included, before clipping."""
    grad_norm_clipped: Array
    """And after it."""
    clipped: Array
    """1 where clipping made it smaller, else 0."""


def step_metrics(loss: Array, grad_norm: Array, clip_norm: Array) -> StepMetrics:
    """What a step's loss and gradient say."""
    clipped = (grad_norm > clip_norm).astype(jnp.float32)
    return StepMetrics(loss, grad_norm, jnp.minimum(grad_norm, clip_norm), clipped)


class Totals(NamedTuple):
    """What a trial has seen since it began to count."""

    steps: Array
    """i32[]"""
    finite: Array
    """bool[]: whether every loss and gradient was; nothing is counted after the first that is
    not."""
    updates: Array
    """f32[STEPS_PER_CALL, 4]: `StepMetrics` of each update of the latest call."""


@cache
def zero_totals() -> Totals:
    """Before the first step."""
    updates = jnp.zeros((STEPS_PER_CALL, len(StepMetrics._fields)), jnp.float32)
    return Totals(jnp.int32(0), jnp.bool_(True), updates)


def collect_updates(turns: Sequence[Totals]) -> NDArray[np.float32]:
    """The updates of calls that follow each other, of the totals on the host; [updates, 4]."""
    ends = [int(totals.steps) for totals in turns]
    taken = np.diff([0, *ends])
    return np.concatenate([one.updates[:count] for one, count in zip(turns, taken, strict=True)])
