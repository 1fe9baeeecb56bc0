"""Several metrics of a trial at once, and the Pareto front of trials. Pure but for reading."""

import bisect
import math
from collections.abc import Mapping, Sequence

from sweeps.config import Objective
from sweeps.store import Trial, read_metrics
from sweeps.store.metrics import merge_steps


def objective_values(
    trial: Trial, step: int | None, objectives: Sequence[Objective]
) -> list[float | None]:
    """Return the values that metrics of a trial had at one step.

    A metric that was not reported at the step has its last value before it, or else its first one
    after it.

    Args:
      trial: a trial that may have reported.
      step: usually that of the best value of the ranking metric; None: there is none.
      objectives: the metrics.
    """
    if step is None:
        return [None] * len(objectives)
    rows = merge_steps(read_metrics(trial.directory / "metrics.csv"))
    return [_value_at(rows, step, one.tag) for one in objectives]


def _value_at(rows: Mapping[int, Mapping[str, float]], step: int, tag: str) -> float | None:
    steps = sorted(at for at, row in rows.items() if not math.isnan(row.get(tag, math.nan)))
    if not steps:
        return None
    place = bisect.bisect_right(steps, step)
    return rows[steps[max(0, place - 1)]][tag]


def pareto_front(
    points: Sequence[Sequence[float | None] | None], objectives: Sequence[Objective]
) -> list[bool]:
    """Return which points no other one dominates.

    A point dominates another one if it is no worse by any objective and better by one.

    Args:
      points: values of each objective; a point that is None, or has a value that is no finite
        number, is not on the front and dominates none.
      objectives: the metrics, each with its best end.
    """
    losses = {}
    for index, point in enumerate(points):
        known = [value for value in point or () if value is not None and math.isfinite(value)]
        if point is not None and len(known) == len(objectives):
            losses[index] = tuple(
                one.loss(value) for one, value in zip(objectives, known, strict=True)
            )
    front: list[tuple[float, ...]] = []
    # By size: a point can only be dominated by one that stands before it.
    for loss in sorted(set(losses.values())):
        if not any(all(x <= y for x, y in zip(other, loss, strict=True)) for other in front):
            front.append(loss)
    best = set(front)
    return [losses.get(index) in best for index in range(len(points))]
