"""Two histories of one trial, compared value by value. Pure: tables in, differences out."""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from sweeps.store.metrics import INDEX_COLUMNS, Row, merge_steps


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
    skip = {*INDEX_COLUMNS, *ignored}
    old, new = (_values(rows, skip, until) for rows in (recorded, now))
    steps = sorted({*old, *new})
    pairs = [pair for step in steps for pair in _pairs(step, old.get(step, {}), new.get(step, {}))]
    different = tuple(pair for pair in pairs if not _same(pair.recorded, pair.now))
    return MetricDiff(len(steps), len(pairs), different)


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
    for tag in dict.fromkeys([*old, *new]):
        yield Difference(step, tag, old.get(tag), new.get(tag))


def _same(one: float | None, other: float | None) -> bool:
    """Whether two values are equal; so are two NaNs."""
    return one == other or repr(one) == repr(other)


def _shown(value: float | None) -> str:
    return "missing" if value is None else repr(value)
