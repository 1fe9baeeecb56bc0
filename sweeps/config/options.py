"""The options of a sweep, as they stand under `sweep`, `search`, `scheduler` and `ray`.

None of these changes what a trial computes, so none is part of its fingerprint; `cpus_per_trial`
and `pack` change how it rounds.
"""

import math
import operator
from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from sweeps.errors import UserError


@dataclass
class SweepConfig:
    """`sweep`: how a sweep is named, ranked and given resources."""

    name: str | None = MISSING
    """Folder under `output_dir`; null: the sweep file's name, else the axes' names."""
    metric: str = MISSING
    """Tag of the reported metric by which trials are ranked, stopped and searched."""
    mode: str = MISSING
    """`min` or `max`: which end of the metric is best."""
    progress: list[str] = MISSING
    """Tags shown for each running trial while the sweep runs."""
    zip: list[list[str]] = MISSING
    """Axes that step together: `[[model.rnn_size,model.hidden_size]]`."""
    exclude: list[str] = MISSING
    """Combinations that are left out: `['model.cell=rnn,train.sequence_length=20']`."""
    replicate: str | None = MISSING
    """Axis whose values repeat a setting, as seeds do; tables show its mean and deviation."""
    cpus_per_trial: int = MISSING
    """CPU cores of a trial; its threads are held to them."""
    gpus_per_trial: float | None = MISSING
    """GPUs of a trial, fractions allowed; null: one if the cluster has any, else none."""
    pack: str = MISSING
    """Trials that one worker trains together, in one trial's share of the machine: at most so
    many; `auto`: as many as pay; 1: each alone."""
    longest_first: bool = MISSING
    """Start the trials that train longest first, so that the last ones end together; else in the
    order of the grid. Optuna, and rules that compare running trials, keep to their own."""
    trial_minutes: float | None = MISSING
    """A trial is stopped after so long, resumed parts included, in a stuck step too."""
    retries: int = MISSING
    """How often a trial is started again after its worker process died."""
    preview: bool = MISSING
    """Print what would be run, and what it would cost, and run nothing."""
    fresh: bool = MISSING
    """Move the sweep's earlier folder aside and start anew."""


@dataclass
class SearchConfig:
    """`search`: which settings of the axes are trained."""

    kind: str = MISSING
    """`grid`, `random`, or `optuna` (TPE)."""
    trials: int | None = MISSING
    """Trials of a random or Optuna search; draws of a grid's intervals; null: none given."""
    seed: int = MISSING
    """Of the draws."""


@dataclass
class SchedulerConfig:
    """`scheduler`: which trials are stopped early, or changed while they run."""

    kind: str = MISSING
    """`none`, `asha`, `median` or `pbt`."""
    time: str = MISSING
    """What the rule counts: `step`, or a tag reported with the metric, such as `time/epoch`."""
    grace: float | None = MISSING
    """asha, median: a trial that has not come this far is not stopped."""
    factor: float | None = MISSING
    """asha: one of so many trials goes on at each rung; rungs lie at grace * factor**k."""
    samples: int | None = MISSING
    """median: so many other trials must have come as far."""
    interval: float | None = MISSING
    """pbt: time between two comparisons of the population."""
    quantile: float | None = MISSING
    """pbt: this share of the population, its worst, goes on from its best."""
    resample: float | None = MISSING
    """pbt: probability that a number is drawn anew rather than changed by a fifth."""
    seed: int | None = MISSING
    """pbt: of its choices."""


@dataclass
class RayConfig:
    """`ray`: where trials run."""

    address: str | None = MISSING
    """`host:port` of a running cluster; null: $RAY_ADDRESS, else this machine."""


@dataclass
class FrameworkConfig:
    """All of the above: the keys that an application's root configuration has for its sweeps."""

    sweep: SweepConfig = field(default_factory=SweepConfig)
    search: SearchConfig = field(default_factory=SearchConfig)
    scheduler: SchedulerConfig = field(default_factory=SchedulerConfig)
    ray: RayConfig = field(default_factory=RayConfig)


KINDS = {
    "search.kind": ("grid", "random", "optuna"),
    "scheduler.kind": ("none", "asha", "median", "pbt"),
    "sweep.mode": ("min", "max"),
}
_AT_LEAST = {
    "sweep.cpus_per_trial": 1,
    "sweep.gpus_per_trial": 0,
    "sweep.retries": 0,
    "search.trials": 1,
    "scheduler.grace": 0,
    "scheduler.samples": 1,
    "scheduler.quantile": 0,
    "scheduler.resample": 0,
}
_ABOVE = {"sweep.trial_minutes": 0, "scheduler.factor": 1, "scheduler.interval": 0}
_AT_MOST = {"scheduler.quantile": 0.5, "scheduler.resample": 1}
_NEEDED = {
    "asha": ("grace", "factor"),
    "median": ("grace", "samples"),
    "pbt": ("interval", "quantile", "resample", "seed"),
}


def check_config(options: FrameworkConfig) -> FrameworkConfig:
    """Return the options, which make sense.

    Raises:
      UserError: one of them does not.
    """
    for key, choices in KINDS.items():
        if (value := _get(options, key)) not in choices:
            raise UserError(f"{key}={value} is not known; choose {_listed(choices)}.")
    for bounds, holds, words in (
        (_AT_LEAST, operator.ge, "at least"),
        (_ABOVE, operator.gt, "above"),
        (_AT_MOST, operator.le, "at most"),
    ):
        for key, bound in bounds.items():
            value = _get(options, key)
            if value is not None and not (holds(value, bound) and math.isfinite(value)):
                raise UserError(f"{key}={value} is out of range; it must be {words} {bound}.")
    for name in _NEEDED.get(options.scheduler.kind, ()):
        if getattr(options.scheduler, name) is None:
            raise UserError(f"scheduler={options.scheduler.kind} needs scheduler.{name}.")
    if options.search.kind != "grid" and options.search.trials is None:
        kind = options.search.kind
        raise UserError(f"search={kind} needs a number of trials; give search.trials=N.")
    _check_pack(options)
    return options


def _check_pack(options: FrameworkConfig) -> None:
    pack = options.sweep.pack
    if pack != "auto" and not (pack.isdecimal() and int(pack) >= 1):
        raise UserError(f"sweep.pack={pack} is not known; give a number from 1, or auto.")
    if (leader := leads(options)) and pack not in ("1", "auto"):
        raise UserError(
            f"sweep.pack={pack} packs trials before they start, and {leader} decides on them while "
            "others run; take sweep.pack=1."
        )


def leads(options: FrameworkConfig) -> str:
    """The choice that makes up trials, or moves them, while others run; empty: none does."""
    if options.scheduler.kind == "pbt":
        return "scheduler=pbt"
    return "search=optuna" if options.search.kind == "optuna" else ""


def _get(options: FrameworkConfig, key: str) -> Any:
    group, _, name = key.partition(".")
    return getattr(getattr(options, group), name)


def _listed(choices: tuple[str, ...]) -> str:
    return f"{', '.join(choices[:-1])} or {choices[-1]}"
