"""Two histories of one trial, compared value by value. Pure: tables in, differences out."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

Row = Mapping[str, float]
"""One report as `sweeps.store.metrics.read_metrics` gives it: tag -> value, `step` and
`wall_time`."""

NEVER = ("step", "wall_time")
"""Columns that are no metrics."""


@dataclass(frozen=True)
class Difference:
    """One value that is not the same in both; None where one of them lacks it."""

    step: int
    metric: str
    recorded: float | None
    now: float | None

    @property
    def relative(self) -> float:
        """|a - b| / max(|a|, |b|); infinite where one is missing or no finite number."""
        if self.recorded is None or self.now is None:
            return math.inf
        if not (math.isfinite(self.recorded) and math.isfinite(self.now)):
            return math.inf
        return abs(self.recorded - self.now) / max(abs(self.recorded), abs(self.now))

    def __str__(self) -> str:
        words = f"step {self.step}, {self.metric}: {_shown(self.recorded)}, now {_shown(self.now)}"
        if math.isinf(self.relative):
            return words
        difference = abs((self.recorded or 0.0) - (self.now or 0.0))
        return f"{words}; {difference:.2g} apart, {self.relative:.2g} relative"


@dataclass(frozen=True)
class MetricDiff:
    """What a comparison has found."""

    steps: int
    """How many were compared."""
    values: int
    differences: tuple[Difference, ...] = ()
    """In the order of their steps."""

    @property
    def largest(self) -> Difference | None:
        """The largest relative difference, the first of its size."""
        return max(self.differences, key=lambda item: item.relative, default=None)

    def first_beyond(self, tolerance: float) -> Difference | None:
        """The first value whose relative difference is larger; 0: the first that differs."""
        beyond = (item for item in self.differences if item.relative > tolerance)
        return next(beyond, None)


def diff_metrics(
    recorded: Sequence[Row],
    now: Sequence[Row],
    *,
    ignored: Collection[str] = (),
    until: int | None = None,
) -> MetricDiff:
    """Compare two tables of metrics step by step.

    Args:
      recorded: the earlier history.
      now: the later one.
      ignored: tags that a clock measured.
      until: last step that counts; None: all of both.
    """
    skip = {*NEVER, *ignored}
    old, new = (_by_step(rows, skip, until) for rows in (recorded, now))
    steps = sorted({*old, *new})
    pairs = [pair for step in steps for pair in _pairs(step, old.get(step, {}), new.get(step, {}))]
    different = tuple(pair for pair in pairs if not _same(pair.recorded, pair.now))
    return MetricDiff(len(steps), len(pairs), different)


def _by_step(
    rows: Sequence[Row], skip: Collection[str], until: int | None
) -> dict[int, dict[str, float]]:
    """Reports of one step belong together."""
    found: dict[int, dict[str, float]] = {}
    for row in rows:
        step = int(row["step"])
        if until is None or step <= until:
            values = {tag: value for tag, value in row.items() if tag not in skip}
            found.setdefault(step, {}).update(values)
    return found


def _pairs(step: int, old: Row, new: Row) -> Iterator[Difference]:
    for tag in dict.fromkeys([*old, *new]):
        yield Difference(step, tag, old.get(tag), new.get(tag))


def _same(one: float | None, other: float | None) -> bool:
    """Whether two values are equal; so are two NaNs."""
    return one == other or repr(one) == repr(other)


def _shown(value: float | None) -> str:
    return "missing" if value is None else repr(value)
