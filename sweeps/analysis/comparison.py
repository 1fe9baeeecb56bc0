"""Comparison of the trials of one sweep or several: filtered, scored by a metric, ranked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sweeps.analysis.objectives import objective_values, pareto_front
from sweeps.analysis.ranking import ScoredTrial, best_value, rank
from sweeps.config import Objective, parse_objective
from sweeps.errors import UserError, did_you_mean
from sweeps.labels import MISSING
from sweeps.naming import RunFilter, label
from sweeps.store import Sweep, read_metrics, read_sweep
from sweeps.store.metrics import metric_tags


@dataclass(frozen=True)
class Comparison:
    """Ranked trials of one sweep or several."""

    sweeps: tuple[Sweep, ...]
    names: tuple[str, ...]
    """Names of the sweeps, all different."""
    axes: tuple[str, ...]
    """Keys in full of the axes of all sweeps."""
    replicate: str | None
    """Axis whose values repeat a setting; None where these trials have one value of it."""
    metric: str
    """Tag that the trials are ranked by."""
    mode: str
    """`min` where the lowest value is best, else `max`."""
    trials: tuple[ScoredTrial, ...]
    """All trials that pass the filter, the best first."""
    filtered_out: int = 0
    """Number of trials that do not pass the filter."""
    objectives: tuple[Objective, ...] = ()
    """Further metrics that matter (`sweep.objectives`), without the one that ranks."""

    @property
    def best_trial(self) -> ScoredTrial | None:
        """The first finished trial that has a value of the metric; None: there is none."""
        finished = (one for one in self.trials if one.trial.completed)
        return next((one for one in finished if one.best is not None), None)

    @property
    def unranked(self) -> str:
        """A sentence on trials none of which has a value of the metric; empty: one has."""
        if any(one.best is not None for one in self.trials):
            return ""
        tags = reported_tags(self.trials)
        if self.metric in tags:
            return f"no trial has a value of {self.metric} other than NaN, so none is the best."
        if not tags:
            return f"no trial has reported {self.metric} yet, so none is the best."
        meant = did_you_mean(self.metric, tags)
        return f"no trial reported {self.metric}, so none is the best; {meant}."

    @property
    def frontless(self) -> str:
        """A sentence on objectives that no trial reported; empty: there is none."""
        unknown = [
            one.tag
            for place, one in enumerate(self.objectives)
            if all(trial.others[place] is None for trial in self.trials if trial.others)
        ]
        if not unknown or self.unranked:
            return ""
        meant = did_you_mean(unknown[0], reported_tags(self.trials))
        return f"no trial reported {unknown[0]}, so no trial is on the Pareto front; {meant}."


def compare_sweeps(
    folders: Sequence[str | Path],
    filter: str | None = None,
    metric: str | None = None,
    mode: str | None = None,
) -> Comparison:
    """Read sweeps and rank their trials.

    Args:
      folders: folders of sweeps.
      filter: regular expression that a run's name must match (see `RunFilter`); None: all.
      metric: a tag; None for the sweeps' own metric.
      mode: `min` or `max`; None for the mode of the first sweep.

    Raises:
      UserError: a folder holds no sweep; the filter is no regular expression, or no run matches;
        no trial has the metric, or the sweeps have different metrics.
    """
    comparison = rank_sweeps(read_sweeps(folders), filter, metric, mode)
    if not comparison.trials and comparison.filtered_out:
        name = unscored_trials(comparison.sweeps)[0].name
        raise UserError(
            f"no run matches --filter {filter!r}; the first of {comparison.filtered_out} is {name}."
        )
    if comparison.trials and all(one.best is None for one in comparison.trials):
        _require(comparison.metric, comparison.trials)
    return comparison


def rank_sweeps(
    sweeps: Sequence[Sweep],
    filter: str | None = None,
    metric: str | None = None,
    mode: str | None = None,
) -> Comparison:
    """Rank the trials of sweeps, also where no run matches or no trial has the metric.

    Args:
      sweeps: at least one.
      filter: regular expression that a run's name must match (see `RunFilter`); None: all.
      metric: a tag; None for the sweeps' own metric.
      mode: `min` or `max`; None for the mode of the first sweep.

    Raises:
      UserError: the filter is no regular expression, or the sweeps have different metrics.
    """
    matches = RunFilter(filter)
    metric = metric or _common_metric(sweeps)
    mode = mode or sweeps[0].mode
    every = unscored_trials(sweeps)
    kept = [one for one in every if matches(one.name)]
    modes = {name: sweep.mode for name, sweep in zip(sweep_names(sweeps), sweeps, strict=True)}
    scored = [_scored(one, metric, mode, modes[one.sweep]) for one in kept]
    objectives = _further_objectives(sweeps, metric)
    return Comparison(
        sweeps=tuple(sweeps),
        names=tuple(modes),
        axes=axes_of(sweeps),
        replicate=_replicate(sweeps, kept),
        metric=metric,
        mode=mode,
        trials=tuple(_with_front(rank(scored, mode), Objective(tag=metric, mode=mode), objectives)),
        filtered_out=len(every) - len(kept),
        objectives=objectives,
    )


def compare_trials(sweep: Sweep) -> Comparison:
    """Rank all trials of one sweep by its own metric, whatever their status."""
    every = unscored_trials([sweep])
    scored = [_scored(one, sweep.metric, sweep.mode, sweep.mode) for one in every]
    ranking = Objective(tag=sweep.metric, mode=sweep.mode)
    objectives = _further_objectives([sweep], sweep.metric)
    return Comparison(
        sweeps=(sweep,),
        names=tuple(sweep_names([sweep])),
        axes=sweep.axes,
        replicate=_replicate([sweep], every),
        metric=sweep.metric,
        mode=sweep.mode,
        trials=tuple(_with_front(rank(scored, sweep.mode), ranking, objectives)),
        objectives=objectives,
    )


def read_sweeps(folders: Sequence[str | Path]) -> list[Sweep]:
    """Read every sweep once, even if it is named twice.

    Raises:
      UserError: a folder is missing, or holds no sweep.
    """
    different = {Path(folder).resolve(): Path(folder) for folder in folders}
    return [_read(folder) for folder in different.values()]


def sweep_names(sweeps: Sequence[Sweep]) -> list[str]:
    """Return the names of the sweeps' folders, or their whole paths where two names are equal."""
    names = [sweep.folder.resolve().name for sweep in sweeps]
    return names if len(set(names)) == len(names) else [str(sweep.folder) for sweep in sweeps]


def axes_of(sweeps: Sequence[Sweep]) -> tuple[str, ...]:
    """Return the axes of all sweeps, each once, in the order of the sweeps."""
    return tuple(dict.fromkeys(axis for sweep in sweeps for axis in sweep.axes))


def unscored_trials(sweeps: Sequence[Sweep]) -> list[ScoredTrial]:
    """Return all trials without a score, with run names and a label on the axes of all sweeps.

    A run's name is the trial's. With several sweeps it is `<sweep>/<trial>`, as in a TensorBoard of
    the folder that holds the sweeps.
    """
    axes = axes_of(sweeps)
    found = []
    for name, sweep in zip(sweep_names(sweeps), sweeps, strict=True):
        rest = {axis: _constant(sweep, axis) for axis in axes if axis not in sweep.axes}
        for trial in sweep.trials:
            settings = {axis: rest.get(axis) or trial.settings.get(axis, MISSING) for axis in axes}
            run = trial.directory.name
            run = f"{name}/{run}" if len(sweeps) > 1 else run
            found.append(ScoredTrial(trial=trial, settings=settings, name=run, sweep=name))
    return found


def _read(folder: Path) -> Sweep:
    if not folder.is_dir():
        raise UserError(f"{folder} does not exist; name a sweep's folder.")
    inside = sorted(path.parent.name for path in folder.glob("[!.]*/sweep.json"))
    if inside and not (folder / "sweep.json").exists():
        several = ", ".join(inside[:10])
        raise UserError(f"{folder} is no sweep's own folder; name those in it: {several}.")
    return read_sweep(folder)


def _constant(sweep: Sweep, axis: str) -> str:
    """Return the label that all trials of a sweep share on another sweep's axis."""
    if axis in sweep.common_config:
        return label(sweep.common_config[axis])
    for trial in sweep.trials[:1]:
        return label(trial.choices.get(axis, MISSING))
    return MISSING


def _common_metric(sweeps: Sequence[Sweep]) -> str:
    metrics = {sweep.metric: sweep for sweep in sweeps}
    if len(metrics) > 1:
        there = ", ".join(f"{sweep.folder} by {metric}" for metric, sweep in metrics.items())
        raise UserError(f"the sweeps are ranked by different metrics ({there}); give --metric TAG.")
    return sweeps[0].metric


def _replicate(sweeps: Sequence[Sweep], trials: Sequence[ScoredTrial]) -> str | None:
    for axis in dict.fromkeys(sweep.replicate for sweep in sweeps):
        if axis and len({one.settings.get(axis) for one in trials}) > 1:
            return axis
    return None


def _scored(one: ScoredTrial, metric: str, mode: str, recorded_mode: str) -> ScoredTrial:
    best, step = best_value(one.trial, metric, mode, recorded=recorded_mode == mode)
    return replace(one, best=best, step=step)


def _further_objectives(sweeps: Sequence[Sweep], metric: str) -> tuple[Objective, ...]:
    """The objectives of all sweeps but the one that ranks; none where the sweeps have others."""
    found = {
        (Objective(tag=one.metric, mode=one.mode), *map(parse_objective, one.objectives))
        for one in sweeps
    }
    if len(found) > 1 or not sweeps[0].objectives:
        return ()
    return tuple(one for one in found.pop() if one.tag != metric)


def _with_front(
    scored: Sequence[ScoredTrial], ranking: Objective, objectives: Sequence[Objective]
) -> list[ScoredTrial]:
    """Add the values of further objectives, and mark the finished trials on the Pareto front."""
    if not objectives:
        return list(scored)
    others = [objective_values(one.trial, one.step, objectives) for one in scored]
    points = [
        (one.best, *values) if one.trial.completed else None
        for one, values in zip(scored, others, strict=True)
    ]
    front = pareto_front(points, [ranking, *objectives])
    return [
        replace(one, others=values, on_front=is_best)
        for one, values, is_best in zip(scored, others, front, strict=True)
    ]


def _require(metric: str, scored: Sequence[ScoredTrial]) -> None:
    """Raise a `UserError` if no trial ever reported the metric."""
    tags = reported_tags(scored)
    if tags and metric not in tags:
        raise UserError(f"no trial reported {metric}; {did_you_mean(metric, tags)}.")


def reported_tags(trials: Sequence[ScoredTrial]) -> list[str]:
    """Return the tags of all metrics that trials reported, each once."""
    tags: dict[str, None] = {}
    for one in trials:
        tags |= dict.fromkeys(one.trial.metrics)
        tags |= dict.fromkeys(metric_tags(read_metrics(one.trial.directory / "metrics.csv")))
    return list(tags)
