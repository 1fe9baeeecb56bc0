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
"""TensorBoard tags of the fields of `StepMetrics`."""


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
      updates: [updates, 4], the `StepMetrics` of each.
      every: updates for each point.
    """
    for first in range(0, len(updates), every):
        part = updates[first : first + every]
        means = part.mean(axis=0, dtype=np.float64)
        yield CurvePoint(step + first + len(part), dict(zip(TAGS, means.tolist(), strict=True)))


class StepMetrics(NamedTuple):
    """Metrics of one step."""

    loss: Array
    """Training loss in nats per target, without penalties."""
    grad_norm: Array
    """Global norm of the gradient, that of the penalties included, before clipping."""
    grad_norm_clipped: Array
    """Global norm of the gradient after clipping."""
    clipped: Array
    """1 where clipping made it smaller, else 0."""


def step_metrics(loss: Array, grad_norm: Array, clip_norm: Array) -> StepMetrics:
    """Measure a step by its loss and its gradient."""
    clipped = (grad_norm > clip_norm).astype(jnp.float32)
    return StepMetrics(loss, grad_norm, jnp.minimum(grad_norm, clip_norm), clipped)


class Totals(NamedTuple):
    """Sums over the steps of one report, kept on the device."""

    steps: Array
    """i32[]: steps counted."""
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


def collect_updates(chunks: Sequence[Totals]) -> NDArray[np.float32]:
    """Metrics of each update, from the totals of calls that follow each other; [updates, 4]."""
    ends = [int(totals.steps) for totals in chunks]
    taken = np.diff([0, *ends])
    return np.concatenate([one.updates[:count] for one, count in zip(chunks, taken, strict=True)])
