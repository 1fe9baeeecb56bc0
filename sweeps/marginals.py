"""The mean of the best metric at each value of each axis, over all that the others do. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from sweeps.axes import ranges
from sweeps.ranking import Scored
from sweeps.replicates import mean_and_deviation


@dataclass(frozen=True)
class Marginal:
    """One value of one axis, or one range of them."""

    label: str
    mean: float | None
    """None where none of its trials counts."""
    deviation: float | None
    """Sample standard deviation; None below two trials."""
    n: int
    """Finished and stopped trials with a finite value: those that the mean is over."""


def marginals(scored: Sequence[Scored], axes: Sequence[str]) -> dict[str, list[Marginal]]:
    """Every axis -> its values in order (see `axes.ranges`), each with the mean of its trials."""
    return {axis: _of(scored, axis) for axis in axes}


def _of(scored: Sequence[Scored], axis: str) -> list[Marginal]:
    names = ranges(one.settings[axis] for one in scored)
    name_of = {label: name for name, labels in names.items() for label in labels}
    values: dict[str, list[float]] = {name: [] for name in names}
    for one in scored:
        if one.counted and one.best is not None and one.settings[axis] in name_of:
            values[name_of[one.settings[axis]]].append(one.best)
    return [Marginal(name, *mean_and_deviation(v), len(v)) for name, v in values.items()]
