"""Means over trials: over the replicates of a setting, such as seeds, and at each axis value."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from statistics import fmean, stdev

from sweeps.analysis.ranking import ScoredTrial
from sweeps.labels import label_ranges


@dataclass(frozen=True)
class ReplicateGroup:
    """The trials that differ in the replicate axis only, with the mean of their best values."""

    settings: Mapping[str, str]
    """Axis -> label, without the replicate axis."""
    mean: float | None
    """Mean of the best values; None where no trial has finished."""
    deviation: float | None
    """Sample standard deviation (divided by n - 1); None below two trials."""
    n: int
    """Number of trials that the mean is over: finished, with a finite value."""
    trials: int
    """Number of all trials of the setting."""
    sweep: str = ""
    """Name of the trials' sweep."""


def group_replicates(
    scored: Iterable[ScoredTrial], replicate: str, mode: str
) -> list[ReplicateGroup]:
    """Group trials by all axes but the replicate one, and rank the groups.

    Groups whose trials have all finished come first, then groups with some finished trials, then
    the others. Within each class the mean decides. So a setting that diverges at one seed in three
    ranks behind those that never do.

    Args:
      scored: trials with their settings.
      replicate: axis in which the trials of a group differ.
      mode: which mean is best, `min` or `max`.
    """
    members: dict[tuple[str, ...], list[ScoredTrial]] = {}
    for one in scored:
        rest = [f"{key}={text}" for key, text in one.settings.items() if key != replicate]
        members.setdefault((one.sweep, *rest), []).append(one)
    found = [_group(trials, replicate) for trials in members.values()]
    return sorted(found, key=lambda group: _rank_key(group, mode))


def mean_and_deviation(values: list[float]) -> tuple[float | None, float | None]:
    """Return the mean and the sample standard deviation.

    The mean of no values is None, and so is the deviation of fewer than two.
    """
    if not values:
        return None, None
    return fmean(values), stdev(values) if len(values) > 1 else None


def _group(trials: list[ScoredTrial], replicate: str) -> ReplicateGroup:
    settings = {key: text for key, text in trials[0].settings.items() if key != replicate}
    values = [
        one.best
        for one in trials
        if one.trial.completed and one.best is not None and isfinite(one.best)
    ]
    mean, deviation = mean_and_deviation(values)
    return ReplicateGroup(
        settings=settings,
        mean=mean,
        deviation=deviation,
        n=len(values),
        trials=len(trials),
        sweep=trials[0].sweep,
    )


def _rank_key(group: ReplicateGroup, mode: str) -> tuple[bool, bool, float]:
    mean = group.mean or 0.0
    return group.n == 0, group.n < group.trials, mean if mode == "min" else -mean


@dataclass(frozen=True)
class Marginal:
    """The mean of all trials at one value of an axis, or in one range of its values."""

    label: str
    """The value's label, or the range's name."""
    mean: float | None
    """Mean of the best values; None where no trial counts."""
    deviation: float | None
    """Sample standard deviation (divided by n - 1); None below two trials."""
    n: int
    """Number of trials that the mean is over: finished or stopped, with a finite value."""


def marginal_means(scored: Sequence[ScoredTrial], axes: Sequence[str]) -> dict[str, list[Marginal]]:
    """Return axis -> its values in order, or ranges of them, each with the mean of its trials.

    See `sweeps.labels.label_ranges` for the ranges.
    """
    return {axis: _axis_means(scored, axis) for axis in axes}


def _axis_means(scored: Sequence[ScoredTrial], axis: str) -> list[Marginal]:
    names = label_ranges(one.settings[axis] for one in scored)
    name_of = {label: name for name, labels in names.items() for label in labels}
    values: dict[str, list[float]] = {name: [] for name in names}
    for one in scored:
        if one.counted and one.best is not None and one.settings[axis] in name_of:
            values[name_of[one.settings[axis]]].append(one.best)
    means = []
    for name, known in values.items():
        mean, deviation = mean_and_deviation(known)
        means.append(Marginal(label=name, mean=mean, deviation=deviation, n=len(known)))
    return means
