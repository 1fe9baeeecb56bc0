"""Ranking of trials: by status first, then by the best value of a metric."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sweeps.store import Trial, read_metrics


@dataclass(frozen=True)
class ScoredTrial:
    """A trial with its best value of a metric."""

    trial: Trial
    best: float | None = None
    """Best value; None where the trial reported none but NaN."""
    step: int | None = None
    """Update step of the best value."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Axis key in full -> label."""
    name: str = ""
    """Name of the trial's run, as TensorBoard shows it."""
    sweep: str = ""
    """Name of the trial's sweep."""
    others: Sequence[float | None] = ()
    """Values of the comparison's further objectives at the step of the best value."""
    on_front: bool = False
    """Whether the trial is on the Pareto front of all objectives."""

    @property
    def counted(self) -> bool:
        """Whether means and importance count the trial."""
        known = self.best is not None and math.isfinite(self.best)
        return known and self.trial.status.is_counted


def rank(scored: Iterable[ScoredTrial], mode: str) -> list[ScoredTrial]:
    """Return the trials, the best first.

    Among trials of equal status, those without a value come last.
    """
    return sorted(scored, key=lambda one: (one.trial.rank, _loss(one.best, mode)))


def best_value(
    trial: Trial, metric: str, mode: str, recorded: bool
) -> tuple[float | None, int | None]:
    """Return the best value of a metric in a trial, and its update step.

    Args:
      trial: the trial.
      metric: the metric's tag.
      mode: `min` or `max`.
      recorded: whether the best value in the trial's result is by this mode; otherwise
        `metrics.csv` is searched.
    """
    if recorded and trial.best is not None and trial.best.metric == metric:
        return trial.best_of(metric)
    return best_row(read_metrics(trial.directory / "metrics.csv"), metric, mode)


def best_row(
    rows: Sequence[Mapping[str, float]], metric: str, mode: str
) -> tuple[float | None, int | None]:
    """Return the best value in a metrics table and the first step that has it; NaN is no value."""
    found = [row for row in rows if not math.isnan(row.get(metric, math.nan))]
    if not found:
        return None, None
    top = min(found, key=lambda row: _loss(row[metric], mode))
    return top[metric], int(top["step"])


def _loss(value: float | None, mode: str) -> tuple[bool, float]:
    """Return a sort key, smaller for better values; no value comes after an infinite one."""
    if value is None:
        return True, 0.0
    return False, value if mode == "min" else -value
