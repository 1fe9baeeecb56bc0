"""The options of a sweep, as they stand under `sweep`, `search`, `scheduler` and `ray`.

None of these changes what a trial computes, so none is part of its fingerprint; `cpus_per_trial`
and `pack` change how it rounds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from omegaconf import DictConfig

from sweeps.config.schema import check_ranges, option, parse, section
from sweeps.errors import UserError


@dataclass
class SweepConfig:
    """`sweep`: how a sweep is named, ranked and given resources."""

    name: str | None = option(
        "folder under output_dir; null: the sweep file's name, else the axes' names",
        default=None,
    )
    metric: str = option(
        "tag of the reported metric that ranks, stops and chooses trials",
        default="value",
    )
    mode: str = option(
        "which end of the metric is best",
        choices=("min", "max"),
        default="min",
    )
    progress: list[str] = option(
        "tags shown for each running trial while the sweep runs",
        default=[],
    )
    zip: list[list[str]] = option(
        "axes that step together: [[model.rnn_size,model.hidden_size]]",
        default=[],
    )
    exclude: list[str] = option(
        "combinations that are left out: ['model.cell=rnn,train.sequence_length=20']",
        default=[],
    )
    replicate: str | None = option(
        "axis whose values repeat a setting, as seeds do; tables show its mean and deviation",
        default="seed",
    )
    cpus_per_trial: int = option(
        "CPU cores of a trial, which are all that its threads use",
        unit="cores",
        at_least=1,
        default=1,
    )
    gpus_per_trial: float | None = option(
        "GPUs of a trial, fractions allowed; null: one if the cluster has any, else none",
        unit="GPUs",
        at_least=0,
        default=None,
    )
    pack: str = option(
        "trials that one worker trains together, in one trial's share of the machine: at most this "
        "number; auto: as many as the program's limits allow; 1: each alone",
        unit="trials",
        default="1",
    )
    longest_first: bool = option(
        "start the trials that train longest first, so that the last ones end together; else in "
        "the order of the grid, which Optuna and rules that compare running trials always keep",
        default=True,
    )
    trial_minutes: float | None = option(
        "a trial is stopped after this long, resumed parts included, even if a step hangs",
        unit="minutes",
        above=0,
        default=None,
    )
    retries: int = option(
        "how often a trial is started again after its worker process died",
        at_least=0,
        default=3,
    )
    fail_after: int | None = option(
        "the sweep ends after so many trials failed: running ones save; null: it goes on",
        unit="trials",
        at_least=1,
        default=None,
    )
    hours: float | None = option(
        "the sweep ends after this long: running trials save, and the same command goes on",
        unit="hours",
        above=0,
        default=None,
    )
    log_megabytes: float = option(
        "what a trial prints is in its log.txt; beyond this size the middle is left out",
        unit="MB",
        above=0,
        default=10.0,
    )
    preview: bool = option(
        "print what would be run, and what it would cost, and run nothing",
        default=False,
    )
    fresh: bool = option(
        "move the sweep's earlier folder aside and start anew",
        default=False,
    )


@dataclass
class SearchConfig:
    """`search`: which settings of the axes are trained."""

    kind: str = option(
        "every combination, random draws, or Optuna's TPE",
        choices=("grid", "random", "optuna"),
        default="grid",
    )
    trials: int | None = option(
        "trials of a random or Optuna search; draws of a grid's intervals; null: none given",
        at_least=1,
        default=None,
    )
    seed: int = option(
        "of the draws",
        default=0,
    )


@dataclass
class SchedulerConfig:
    """`scheduler`: which trials are stopped early, or changed while they run."""

    kind: str = option(
        "rule",
        default="none",
    )
    time: str = option(
        "what the rule counts: step, or a tag reported with the metric, such as time/epoch",
        default="step",
    )


@dataclass
class AshaConfig(SchedulerConfig):
    """`scheduler=asha`: asynchronous successive halving (Li et al. 2020)."""

    kind: str = option("rule", default="asha")
    grace: float = option(
        "a trial that has not come this far is not stopped",
        unit="scheduler.time",
        at_least=0,
        default=1,
    )
    factor: float = option(
        "one of this many trials goes on at each rung; rungs lie at grace * factor**k",
        above=1,
        default=4,
    )


@dataclass
class MedianConfig(SchedulerConfig):
    """`scheduler=median`: a trial worse than the median of the others' averages is stopped."""

    kind: str = option("rule", default="median")
    grace: float = option(
        "a trial that has not come this far is not stopped",
        unit="scheduler.time",
        at_least=0,
        default=1,
    )
    samples: int = option(
        "other trials that must have come as far",
        unit="trials",
        at_least=1,
        default=3,
    )


@dataclass
class PBTConfig(SchedulerConfig):
    """`scheduler=pbt`: population based training (Jaderberg et al. 2017)."""

    kind: str = option("rule", default="pbt")
    interval: float = option(
        "time between two comparisons of the population",
        unit="scheduler.time",
        above=0,
        default=1,
    )
    quantile: float = option(
        "this share of the population, its worst, goes on from its best",
        at_least=0,
        at_most=0.5,
        default=0.25,
    )
    resample: float = option(
        "probability that a number is drawn anew rather than changed by a fifth",
        at_least=0,
        at_most=1,
        default=0.25,
    )
    seed: int = option(
        "of its choices",
        default=0,
    )


SCHEDULERS = {
    "none": SchedulerConfig,
    "asha": AshaConfig,
    "median": MedianConfig,
    "pbt": PBTConfig,
}
"""`scheduler.kind` -> the options of that rule."""


@dataclass
class RayConfig:
    """`ray`: where trials run."""

    address: str | None = option(
        "host:port of a running cluster; null: $RAY_ADDRESS, else this machine",
        default=None,
    )


@dataclass
class FrameworkConfig:
    """The sections of an application's root configuration that the framework reads."""

    sweep: SweepConfig = field(default_factory=SweepConfig)
    search: SearchConfig = field(default_factory=SearchConfig)
    scheduler: SchedulerConfig = section(SchedulerConfig, SCHEDULERS)
    ray: RayConfig = field(default_factory=RayConfig)


def parse_framework_config(config: Mapping[str, Any] | DictConfig) -> FrameworkConfig:
    """Give a composed configuration's sections of the framework their types, and check them.

    Raises:
      UserError: an option is out of its range, or does not fit the others.
    """
    options = parse(FrameworkConfig, config)
    check_ranges(options)
    check_combinations(options)
    return options


def check_combinations(options: FrameworkConfig) -> None:
    """Refuse options that do not fit each other.

    Raises:
      UserError: two of them do not.
    """
    if options.search.kind != "grid" and options.search.trials is None:
        kind = options.search.kind
        raise UserError(f"search={kind} needs a number of trials; give search.trials=N.")
    pack = options.sweep.pack
    if pack != "auto" and not (pack.isdecimal() and int(pack) >= 1):
        raise UserError(f"sweep.pack={pack} is not known; give a number from 1, or auto.")
    if (leader := leads(options)) and pack not in ("1", "auto"):
        raise UserError(
            f"sweep.pack={pack} packs trials before they start, and {leader} decides on them while "
            "others run; take sweep.pack=1."
        )


def leads(options: FrameworkConfig) -> str:
    """Name the choice that makes up trials, or moves them, while others run; empty: none does."""
    if options.scheduler.kind == "pbt":
        return "scheduler=pbt"
    return "search=optuna" if options.search.kind == "optuna" else ""
