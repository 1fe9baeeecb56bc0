"""Ray Tune's schedulers, told by our options; they see reports that carry the ranking metric."""

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sweeps.config.options import (
    AshaConfig,
    MedianConfig,
    PBTConfig,
    SchedulerConfig,
    SweepConfig,
)
from sweeps.naming import short_keys
from sweeps.search.space import Axis
from sweeps.store.metrics import read_metrics
from sweeps.store.trial import Trial

FAR = 30
"""Rungs of ASHA: more than any trial is long."""


@dataclass
class SchedulerHandle:
    """A scheduler, and what it decided."""

    scheduler: Any
    stopped: dict[str, str] = field(default_factory=dict)
    """Tune's trial id, or the name of a trial that trains with others -> why it was stopped."""


def build_scheduler(
    options: SchedulerConfig, ranking: SweepConfig, axes: Mapping[str, Axis]
) -> SchedulerHandle:
    """Make the scheduler that the options ask for.

    Args:
      options: which, and its numbers.
      ranking: whose `mode` says which end of the score is best.
      axes: of a population, the numbers that may change, with their values or interval.
    """
    stopped: dict[str, str] = {}
    scheduler = _watched(_class(options.kind), options, stopped)(
        **_arguments(options, axes),
        **({} if options.kind == "none" else {"metric": "score", "mode": ranking.mode}),
    )
    return SchedulerHandle(scheduler, stopped)


def replay(
    rule: SchedulerHandle, trials: Iterable[Trial], options: SchedulerConfig, metric: str
) -> None:
    """Let ASHA or the median rule see what trials of an earlier run of this sweep reported."""
    if options.kind not in ("asha", "median"):
        return
    for trial in trials:
        earlier = _Named(trial.fingerprint)
        rule.scheduler.on_trial_add(None, earlier)
        for row in read_metrics(trial.directory / "metrics.csv"):
            if np.isfinite(row.get(metric, np.nan)) and options.time in row:
                result = {"score": row[metric], "time": row[options.time]}
                rule.scheduler.on_trial_result(None, earlier, result)
    rule.stopped.clear()


def pack_scheduler(rule: SchedulerHandle, stop: Callable[[str], None]) -> Any:
    """Make a scheduler of Tune's trials that train several of ours: the rule judges each of them.

    Args:
      rule: its `stopped` has our trials' names then.
      stop: makes a trial end, given its name; the others that train with it go on.
    """
    from ray.tune import schedulers

    inner, known = rule.scheduler, set[str]()

    class Lanes(schedulers.FIFOScheduler):
        def on_trial_add(self, controller: Any, trial: Any) -> None:
            if not trial.config.get("lanes"):
                inner.on_trial_add(controller, trial)

        def on_trial_result(self, controller: Any, trial: Any, result: dict[str, Any]) -> Any:
            if not trial.config.get("lanes"):
                return inner.on_trial_result(controller, trial, result)
            for name, report in result.get("lanes", ()):
                if report["score"] is None or name in rule.stopped:
                    continue
                if name not in known:
                    known.add(name)
                    inner.on_trial_add(controller, _Named(name))
                if inner.on_trial_result(controller, _Named(name), report) == self.STOP:
                    stop(name)
            return self.CONTINUE

        def on_trial_complete(self, controller: Any, trial: Any, result: dict[str, Any]) -> None:
            if not trial.config.get("lanes"):
                inner.on_trial_complete(controller, trial, result)

    return Lanes()  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class _Named:
    """As much of a Tune trial as schedulers look at."""

    trial_id: str


def _class(kind: str) -> type:
    from ray.tune import schedulers

    classes = {
        "none": schedulers.FIFOScheduler,
        "asha": schedulers.AsyncHyperBandScheduler,
        "median": schedulers.MedianStoppingRule,
        "pbt": schedulers.PopulationBasedTraining,
    }
    return classes[kind]


def _arguments(options: SchedulerConfig, axes: Mapping[str, Axis]) -> dict[str, Any]:
    if isinstance(options, AshaConfig):
        return {
            "time_attr": "time",
            "grace_period": options.grace,
            "reduction_factor": options.factor,
            "max_t": options.grace * options.factor**FAR,
            "stop_last_trials": False,
        }
    if isinstance(options, MedianConfig):
        return {
            "time_attr": "time",
            "grace_period": options.grace,
            "min_samples_required": options.samples,
            "min_time_slice": float("inf"),  # never pauses a trial for want of others
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
            "synch": True,  # decisions then depend on the scores alone, not on who came first
        }
    return {}


def _choices(axis: Axis) -> Any:
    """What Ray draws a new number from: a list it also steps along, or a function."""
    if (interval := axis.interval) is None:
        return [float(value.label) for value in axis.values]
    return lambda: interval.quantile(random.random())


def _bounded(config: dict[str, Any], axes: Mapping[str, Axis]) -> dict[str, Any]:
    for key, axis in axes.items():
        if axis.interval:
            config["values"][key] = axis.interval.rounded(config["values"][key])
    return config


def _watched(kind: type, options: SchedulerConfig, stopped: dict[str, str]) -> type:
    """The scheduler's class, made to act on scored reports alone and to say when it stops one."""
    unit = short_keys([options.time])[0]
    seed = options.seed if isinstance(options, PBTConfig) else None

    class Watched(kind):  # type: ignore[misc]
        def on_trial_result(self, controller: Any, trial: Any, result: dict[str, Any]) -> Any:
            if result.get("score") is None:
                return self.CONTINUE
            # Ray draws from the process's own generator; so the same scores lead to the same draws.
            random.seed(f"{seed}/{result['time']}")
            decision = super().on_trial_result(controller, trial, result)
            if decision == self.STOP:
                stopped[trial.trial_id] = f"by {options.kind} at {unit} {result['time']:g}"
            return decision

        def on_trial_complete(self, controller: Any, trial: Any, result: dict[str, Any]) -> None:
            # Tune hands over the last report, which need not have had a score.
            if result.get("score") is not None:
                super().on_trial_complete(controller, trial, result)

    return Watched
