"""Which trial is best: status first, then the best value of a metric."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sweeps.store.metrics import read_metrics
from sweeps.store.status import COUNTED, STATUSES
from sweeps.store.trial import Trial


@dataclass(frozen=True)
class ScoredTrial:
    """A trial with its best value of a metric; None where it has none, NaN not being one."""

    trial: Trial
    best: float | None = None
    step: int | None = None
    """Of the best value."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Axis key in full -> label."""
    name: str = ""
    """The run's, as TensorBoard shows it."""
    sweep: str = ""
    """Name of its sweep."""

    @property
    def counted(self) -> bool:
        """Whether means and importance count it."""
        known = self.best is not None and math.isfinite(self.best)
        return known and self.trial.status in COUNTED


def rank(scored: Iterable[ScoredTrial], mode: str) -> list[ScoredTrial]:
    """The best first; trials of equal status without a value after those with one."""
    return sorted(scored, key=lambda one: (_place(one.trial.status), _loss(one.best, mode)))


def best_value(trial: Trial, metric: str, mode: str, kept: bool) -> tuple[float | None, int | None]:
    """The best value of a metric in a trial, and its step.

    Args:
      trial: as it stands.
      metric: its tag.
      mode: `min` or `max`.
      kept: whether the trial's own `best` is in this mode; else metrics.csv is searched.
    """
    if kept and trial.best is not None and trial.best["metric"] == metric:
        return trial.best_of(metric)
    return best_row(read_metrics(trial.directory / "metrics.csv"), metric, mode)


def best_row(
    rows: Sequence[Mapping[str, float]], metric: str, mode: str
) -> tuple[float | None, int | None]:
    """The first of the best values in a metrics table, and its step; NaN never wins."""
    found = [row for row in rows if not math.isnan(row.get(metric, math.nan))]
    if not found:
        return None, None
    top = min(found, key=lambda row: _loss(row[metric], mode))
    return top[metric], int(top["step"])


def _place(status: str) -> int:
    return STATUSES.index(status) if status in STATUSES else len(STATUSES)


def _loss(value: float | None, mode: str) -> tuple[bool, float]:
    """Smaller is better; no value comes after an infinite one."""
    if value is None:
        return True, 0.0
    return False, value if mode == "min" else -value
