"""Trials that differ in the replicate axis only, such as seeds, as one setting. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from statistics import fmean, stdev

from sweeps.analysis.ranking import ScoredTrial
from sweeps.labels import label_ranges


@dataclass(frozen=True)
class ReplicateGroup:
    """One setting: the best values of its finished trials, summarised."""

    settings: Mapping[str, str]
    """Label of every axis but the replicate one."""
    mean: float | None
    """None where no trial has finished."""
    deviation: float | None
    """Sample standard deviation (n - 1 below the fraction); None below two trials."""
    n: int
    """Finished trials with a finite value: those that the mean is over."""
    trials: int
    """All trials of the setting."""
    sweep: str = ""


def group_replicates(
    scored: Iterable[ScoredTrial], replicate: str, mode: str
) -> list[ReplicateGroup]:
    """Group trials by all other axes, and rank the groups.

    Groups whose trials have all finished come first, then those of which some have, then the
    others; each by the mean. A setting that diverges at one seed in three is no better than the
    two others make it look.

    Args:
      scored: trials, with their settings.
      replicate: the axis in which the trials of a group differ.
      mode: `min` or `max`.
    """
    members: dict[tuple[str, ...], list[ScoredTrial]] = {}
    for one in scored:
        rest = [f"{key}={text}" for key, text in one.settings.items() if key != replicate]
        members.setdefault((one.sweep, *rest), []).append(one)
    found = [_group(trials, replicate) for trials in members.values()]
    return sorted(found, key=lambda group: _place(group, mode))


def mean_and_deviation(values: list[float]) -> tuple[float | None, float | None]:
    """The mean, None of nothing, and the sample standard deviation, None below two values."""
    if not values:
        return None, None
    return fmean(values), stdev(values) if len(values) > 1 else None


def _group(trials: list[ScoredTrial], replicate: str) -> ReplicateGroup:
    settings = {key: text for key, text in trials[0].settings.items() if key != replicate}
    values = [
        one.best
        for one in trials
        if one.trial.status == "finished" and one.best is not None and isfinite(one.best)
    ]
    mean, deviation = mean_and_deviation(values)
    return ReplicateGroup(settings, mean, deviation, len(values), len(trials), trials[0].sweep)


def _place(group: ReplicateGroup, mode: str) -> tuple[bool, bool, float]:
    mean = group.mean or 0.0
    return group.n == 0, group.n < group.trials, mean if mode == "min" else -mean


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


def marginal_means(scored: Sequence[ScoredTrial], axes: Sequence[str]) -> dict[str, list[Marginal]]:
    """Every axis -> its values in order (see `axes.ranges`), each with the mean of its trials."""
    return {axis: _of(scored, axis) for axis in axes}


def _of(scored: Sequence[ScoredTrial], axis: str) -> list[Marginal]:
    names = label_ranges(one.settings[axis] for one in scored)
    name_of = {label: name for name, labels in names.items() for label in labels}
    values: dict[str, list[float]] = {name: [] for name in names}
    for one in scored:
        if one.counted and one.best is not None and one.settings[axis] in name_of:
            values[name_of[one.settings[axis]]].append(one.best)
    return [Marginal(name, *mean_and_deviation(v), len(v)) for name, v in values.items()]
