"""Differences between two metrics tables of one trial, value by value. Pure."""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from sweeps.store.metrics import INDEX_COLUMNS, Row, merge_steps


@dataclass(frozen=True)
class Difference:
    """A value that differs between the two tables."""

    step: int
    metric: str
    """Tag of the metric."""
    recorded: float | None
    """Value in the earlier table; None where it is missing."""
    now: float | None
    """Value in the later table; None where it is missing."""

    @property
    def relative(self) -> float:
        """|a - b| / max(|a|, |b|); infinite where one of them is missing or not finite."""
        if self.recorded is None or self.now is None:
            return math.inf
        if not (math.isfinite(self.recorded) and math.isfinite(self.now)):
            return math.inf
        return abs(self.recorded - self.now) / max(abs(self.recorded), abs(self.now))

    def __str__(self) -> str:
        words = f"step {self.step}, {self.metric}: {_text(self.recorded)}, now {_text(self.now)}"
        if math.isinf(self.relative):
            return words
        difference = abs((self.recorded or 0.0) - (self.now or 0.0))
        return f"{words}; {difference:.2g} apart, {self.relative:.2g} relative"


@dataclass(frozen=True)
class MetricDiff:
    """Result of a comparison of two metrics tables."""

    steps: int
    """Number of compared steps."""
    values: int
    """Number of compared values."""
    differences: tuple[Difference, ...] = ()
    """All differences, ordered by step."""

    @property
    def largest(self) -> Difference | None:
        """The largest relative difference, and the first of several such; None without any."""
        return max(self.differences, key=lambda item: item.relative, default=None)

    def first_beyond(self, tolerance: float) -> Difference | None:
        """Return the first difference beyond a relative tolerance; None without any."""
        beyond = (item for item in self.differences if item.relative > tolerance)
        return next(beyond, None)


def diff_metrics(
    recorded: Sequence[Row],
    now: Sequence[Row],
    *,
    ignored: Collection[str] = (),
    until: int | None = None,
) -> MetricDiff:
    """Compare two metrics tables step by step.

    Args:
      recorded: the earlier table.
      now: the later table.
      ignored: tags that are not compared, such as measured times.
      until: last step that is compared; None: all steps.
    """
    skip = {*INDEX_COLUMNS, *ignored}
    old, new = (_values(rows, skip, until) for rows in (recorded, now))
    steps = sorted({*old, *new})
    pairs = [pair for step in steps for pair in _pairs(step, old.get(step, {}), new.get(step, {}))]
    different = tuple(pair for pair in pairs if not _same(pair.recorded, pair.now))
    return MetricDiff(steps=len(steps), values=len(pairs), differences=different)


def _values(
    rows: Sequence[Row], skip: Collection[str], until: int | None
) -> dict[int, dict[str, float]]:
    """Return step -> values by tag, without the tags to skip and the steps after `until`."""
    counted = [row for row in rows if until is None or row["step"] <= until]
    return {
        step: {tag: value for tag, value in values.items() if tag not in skip}
        for step, values in merge_steps(counted).items()
    }


def _pairs(step: int, old: Row, new: Row) -> Iterator[Difference]:
    """Yield the values of a step in pairs, equal ones included."""
    for tag in dict.fromkeys([*old, *new]):
        yield Difference(step=step, metric=tag, recorded=old.get(tag), now=new.get(tag))


def _same(one: float | None, other: float | None) -> bool:
    """Return whether two values are equal; two NaNs are."""
    return one == other or repr(one) == repr(other)


def _text(value: float | None) -> str:
    return "missing" if value is None else repr(value)
