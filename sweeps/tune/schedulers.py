"""Makes Ray Tune's schedulers from the options; they see reports with the ranking metric only."""

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sweeps.config import (
    AshaConfig,
    CustomSchedulerConfig,
    MedianConfig,
    PBTConfig,
    SchedulerConfig,
    SweepConfig,
    locate_option,
    takes_argument,
)
from sweeps.errors import UserError, first_line
from sweeps.naming import short_keys
from sweeps.search import Axis
from sweeps.store import Trial, read_metrics
from sweeps.tune.pbt import latest_exchange, population_scheduler

MAX_RUNGS = 30
"""Rungs of ASHA, more than any trial reaches."""


@dataclass
class SchedulerHandle:
    """A scheduler and the trials that it stopped."""

    scheduler: Any
    """A `ray.tune.schedulers.TrialScheduler`."""
    stopped: dict[str, str] = field(default_factory=dict)
    """Tune's trial id, or the name of a trial of a pack -> why it was stopped."""


def build_scheduler(
    options: SchedulerConfig, ranking: SweepConfig, axes: Mapping[str, Axis]
) -> SchedulerHandle:
    """Make the scheduler that the options ask for.

    Args:
      options: kind of the scheduler, and its numbers.
      ranking: `mode` says which end of the score is best.
      axes: numbers that population based training may change, with their values or interval.
    """
    stopped: dict[str, str] = {}
    if isinstance(options, CustomSchedulerConfig):
        scheduler = make_custom_scheduler(options, ranking)
        # What the path names may be a function, so there need be no class to make a subclass of.
        scheduler.__class__ = _scored_only(type(scheduler), options, stopped)
        return SchedulerHandle(scheduler=scheduler, stopped=stopped)
    scheduler = _scored_only(_class(options.kind), options, stopped)(
        **_arguments(options, axes),
        **({} if options.kind == "none" else {"metric": "score", "mode": ranking.mode}),
    )
    return SchedulerHandle(scheduler=scheduler, stopped=stopped)


def make_custom_scheduler(options: CustomSchedulerConfig, ranking: SweepConfig) -> Any:
    """Make the scheduler that the options name by dotted path.

    It compares the metric `score`, and reads the time in `time`: it gets these names as `metric`
    and `time_attr`, and the mode, where it takes arguments of these names.

    Args:
      options: dotted path and arguments.
      ranking: `mode` says which end of the score is best.

    Raises:
      UserError: it cannot be made, or is no scheduler.
    """
    from ray.tune.schedulers import TrialScheduler

    make = locate_option("scheduler.kind", options.kind)
    given = {"metric": "score", "mode": ranking.mode, "time_attr": "time"}
    arguments = {name: value for name, value in given.items() if takes_argument(make, name)}
    try:
        scheduler = make(**{**arguments, **options.keywords})
    except Exception as error:  # of a scheduler that is not ours
        raise UserError(
            f"scheduler.kind={options.kind} cannot be made with scheduler.arguments="
            f"{options.keywords} ({type(error).__name__}: {first_line(error)}); mend them."
        ) from error
    if not isinstance(scheduler, TrialScheduler):
        raise UserError(
            f"scheduler.kind={options.kind} gives a {type(scheduler).__name__}, and no "
            "ray.tune.schedulers.TrialScheduler; name a class of one."
        )
    if "metric" not in arguments:
        scheduler.set_search_properties("score", ranking.mode)
    return scheduler


def replay(
    handle: SchedulerHandle, trials: Iterable[Trial], options: SchedulerConfig, metric: str
) -> None:
    """Replay the reports of earlier trials of this sweep to ASHA or the median rule.

    Other schedulers do not compare a trial with those that are done.

    Args:
      handle: of the scheduler.
      trials: done trials.
      options: kind of the scheduler, and the tag that it counts.
      metric: tag of the score.
    """
    if options.kind not in ("asha", "median"):
        return
    for trial in trials:
        earlier = _TrialId(trial.fingerprint)
        handle.scheduler.on_trial_add(None, earlier)
        for row in read_metrics(trial.directory / "metrics.csv"):
            if np.isfinite(row.get(metric, np.nan)) and options.time in row:
                result = {"score": row[metric], "time": row[options.time]}
                handle.scheduler.on_trial_result(None, earlier, result)
    handle.stopped.clear()


def resume_population(
    handle: SchedulerHandle, directories: Iterable[Path], options: SchedulerConfig
) -> None:
    """Have a population whose trials continue exchange states when it would have done so.

    Args:
      handle: of the scheduler.
      directories: folders of the trials.
      options: kind of the scheduler, and the tag that it counts.
    """
    if options.kind == "pbt":
        handle.scheduler.begin_after(latest_exchange(directories, options.time))


def pack_scheduler(handle: SchedulerHandle, stop: Callable[[str], None]) -> Any:
    """Make a scheduler for packs, each a single trial to Tune: it judges the lanes one by one.

    Args:
      handle: of the scheduler that judges; its `stopped` will hold the lanes' names.
      stop: ends a lane, given its name; the other lanes of its pack go on.
    """
    from ray.tune import schedulers

    inner, known = handle.scheduler, set[str]()

    class PackScheduler(schedulers.FIFOScheduler):
        def on_trial_add(self, controller: Any, trial: Any) -> None:
            if not trial.config.get("lanes"):
                inner.on_trial_add(controller, trial)

        def on_trial_result(self, controller: Any, trial: Any, result: dict[str, Any]) -> Any:
            if not trial.config.get("lanes"):
                return inner.on_trial_result(controller, trial, result)
            for name, report in result.get("lanes", ()):
                if report["score"] is None or name in handle.stopped:
                    continue
                if name not in known:
                    known.add(name)
                    inner.on_trial_add(controller, _TrialId(name))
                if inner.on_trial_result(controller, _TrialId(name), report) == self.STOP:
                    stop(name)
            return self.CONTINUE

        def on_trial_complete(self, controller: Any, trial: Any, result: dict[str, Any]) -> None:
            if not trial.config.get("lanes"):
                inner.on_trial_complete(controller, trial, result)

    return PackScheduler()  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class _TrialId:
    """The part of a Tune trial that schedulers read."""

    trial_id: str


def _class(kind: str) -> type:
    from ray.tune import schedulers

    classes = {
        "none": schedulers.FIFOScheduler,
        "asha": schedulers.AsyncHyperBandScheduler,
        "median": schedulers.MedianStoppingRule,
    }
    return population_scheduler() if kind == "pbt" else classes[kind]


def _arguments(options: SchedulerConfig, axes: Mapping[str, Axis]) -> dict[str, Any]:
    if isinstance(options, AshaConfig):
        return {
            "time_attr": "time",
            "grace_period": options.grace,
            "reduction_factor": options.factor,
            "max_t": options.grace * options.factor**MAX_RUNGS,
            "stop_last_trials": False,
        }
    if isinstance(options, MedianConfig):
        return {
            "time_attr": "time",
            "grace_period": options.grace,
            "min_samples_required": options.samples,
            "min_time_slice": float("inf"),  # never pauses a trial to wait for others
        }
    if isinstance(options, PBTConfig):
        return {
            "time_attr": "time",
            "perturbation_interval": options.interval,
            "quantile_fraction": options.quantile,
            "resample_probability": options.resample,
            "hyperparam_mutations": {"values": {key: _choices(ax) for key, ax in axes.items()}},
            "custom_explore_fn": lambda config: _bounded(config, axes),
            "log_config": False,
            "require_attrs": False,
            "synch": True,  # so decisions depend on the scores alone, not on the order of reports
        }
    return {}


def _choices(axis: Axis) -> Any:
    """Make what Ray draws a new number from: a list, along which it also steps, or a function."""
    if (interval := axis.interval) is None:
        return [float(value.label) for value in axis.values]
    return lambda: interval.quantile(random.random())


def _bounded(config: dict[str, Any], axes: Mapping[str, Axis]) -> dict[str, Any]:
    for key, axis in axes.items():
        if axis.interval:
            config["values"][key] = axis.interval.rounded(config["values"][key])
    return config


def _scored_only(kind: type, options: SchedulerConfig, stopped: dict[str, str]) -> type:
    """Subclass a scheduler: it acts on reports with a score alone, and notes whom it stops."""
    unit = short_keys([options.time])[0]
    seed = options.seed if isinstance(options, PBTConfig) else None

    class ScoredOnly(kind):  # type: ignore[misc]
        def on_trial_result(self, controller: Any, trial: Any, result: dict[str, Any]) -> Any:
            if result.get("score") is None:
                return self.CONTINUE
            # Ray draws from the process's own generator: seeded, equal scores lead to equal draws.
            random.seed(f"{seed}/{result['time']}")
            decision = super().on_trial_result(controller, trial, result)
            if decision == self.STOP:
                stopped[trial.trial_id] = f"by {options.kind} at {unit} {result['time']:g}"
            return decision

        def on_trial_complete(self, controller: Any, trial: Any, result: dict[str, Any]) -> None:
            # Tune hands over the last report, which need not have had a score.
            if result.get("score") is not None:
                super().on_trial_complete(controller, trial, result)

    return ScoredOnly
