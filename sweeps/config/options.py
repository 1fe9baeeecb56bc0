"""The options of a sweep, as they stand under `sweep`, `search`, `scheduler` and `ray`.

None of these changes what a trial computes, so none is part of its fingerprint; `cpus_per_trial`
and `pack` change how it rounds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from omegaconf import DictConfig, OmegaConf

from sweeps.config.objectives import Objective, parse_objective
from sweeps.config.schema import check_ranges, option, parse, section
from sweeps.errors import UserError

SEARCHES = ("grid", "random", "optuna")
"""Kinds of search, beside the dotted paths of searchers."""
SAMPLERS = ("tpe", "gp", "cmaes", "qmc", "nsgaii")
"""Samplers of Optuna by name, beside dotted paths."""
SINGLE_OBJECTIVE = ("cmaes", "qmc")
"""Samplers that do not optimise several metrics: one cannot, one learns from none."""


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
    objectives: list[str] = option(
        "further metrics that matter: [TAG, TAG:max]; tables mark the Pareto front of all, and "
        "search=optuna optimises all",
        default=[],
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
    keep_checkpoints: str = option(
        "what a finished trial keeps of its checkpoints: best, the one of the best value of "
        "sweep.metric, and the last; last: that alone; all; none",
        choices=("best", "last", "all", "none"),
        default="best",
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
        "grid: every combination; random: random draws; optuna: what a sampler of Optuna suggests; "
        "or the dotted path of a searcher of Ray Tune",
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
    sampler: str = option(
        "of search=optuna: tpe, gp, cmaes, qmc, nsgaii, or the dotted path of a sampler of Optuna",
        default="tpe",
    )
    arguments: Any = option(  # a dictionary would take no further keys from Hydra
        "keyword arguments of the sampler, or of one's own searcher: {NAME: VALUE}",
        default=None,
    )
    first: list[str] = option(
        "settings that a random or Optuna search tries first: ['model.cell=gru,seed=1']",
        default=[],
    )
    warm_start: list[str] = option(
        "folders of earlier sweeps, whose finished trials the search learns from",
        default=[],
    )

    @property
    def is_adaptive(self) -> bool:
        """Whether trials are suggested one by one, as the search learns from earlier ones."""
        return self.kind not in ("grid", "random")

    @property
    def keywords(self) -> dict[str, Any]:
        """The arguments; empty: there are none."""
        return dict(self.arguments or {})

    @property
    def is_own(self) -> bool:
        """Whether `kind` is the dotted path of a searcher."""
        return "." in self.kind


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


@dataclass
class CustomSchedulerConfig(SchedulerConfig):
    """`scheduler=custom`: a scheduler of Ray Tune, or of one's own, by its dotted path."""

    kind: str = option("dotted path of the scheduler's class, or of a function that makes one")
    arguments: Any = option("its keyword arguments: {NAME: VALUE}", default=None)

    @property
    def keywords(self) -> dict[str, Any]:
        """The arguments; empty: there are none."""
        return dict(self.arguments or {})


SCHEDULERS = {
    "none": SchedulerConfig,
    "asha": AshaConfig,
    "median": MedianConfig,
    "pbt": PBTConfig,
    "custom": CustomSchedulerConfig,
}
"""`scheduler.kind` -> the options of that rule; `custom` stands for any dotted path."""


@dataclass
class RayConfig:
    """`ray`: where trials run."""

    address: str | None = option(
        "host:port of a running cluster; null: $RAY_ADDRESS, else this machine",
        default=None,
    )
    callbacks: list[str] = option(
        "dotted paths of classes of ray.tune.Callback, which hear what Ray Tune does",
        default=[],
    )


@dataclass
class FrameworkConfig:
    """The sections of an application's root configuration that the framework reads."""

    sweep: SweepConfig = field(default_factory=SweepConfig)
    search: SearchConfig = field(default_factory=SearchConfig)
    scheduler: SchedulerConfig = section(SchedulerConfig, SCHEDULERS)
    ray: RayConfig = field(default_factory=RayConfig)


def framework_keys(root: str = "") -> tuple[str, ...]:
    """Return the first keys of all options that the framework reads and no trial's result needs.

    Args:
      root: see `Application.root`.
    """
    return (root,) if root else ("output_dir", *(item.name for item in fields(FrameworkConfig)))


def framework_section(config: Mapping[str, Any], root: str = "") -> Any:
    """Return the part of a root configuration that has the framework's options."""
    return config[root] if root else config


def objectives_of(sweep: SweepConfig) -> tuple[Objective, ...]:
    """The ranking metric, then the further objectives."""
    ranking = Objective(tag=sweep.metric, mode=sweep.mode)
    return (ranking, *(parse_objective(text) for text in sweep.objectives))


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
    for key, chosen in (("search", options.search), ("scheduler", options.scheduler)):
        given = getattr(chosen, "arguments", None)
        if given is not None and not isinstance(given, Mapping):
            raise UserError(
                f"{key}.arguments={given} is none; write {key}.arguments={{NAME: VALUE}}."
            )
    check_search(options.search)
    check_objectives(options)
    pack = options.sweep.pack
    if pack != "auto" and not (pack.isdecimal() and int(pack) >= 1):
        raise UserError(f"sweep.pack={pack} is not known; give a number from 1, or auto.")
    if (leader := leads(options)) and pack not in ("1", "auto"):
        raise UserError(
            f"sweep.pack={pack} packs trials before they start, and {leader} decides on them while "
            "others run; take sweep.pack=1."
        )


def check_search(search: SearchConfig) -> None:
    """Refuse options of a search that its kind does not have.

    Raises:
      UserError: there is one.
    """
    kind = search.kind
    if kind not in SEARCHES and not search.is_own:
        raise UserError(
            f"search.kind={kind} is not known; choose one of {', '.join(SEARCHES)}, or give the "
            "dotted path of a searcher."
        )
    if kind != "grid" and search.trials is None:
        raise UserError(f"search={kind} needs a number of trials; give search.trials=N.")
    if kind == "grid" and search.first:
        raise UserError("search.first has no meaning for search=grid, which trains every setting.")
    if search.is_own and search.first:
        raise UserError(
            f"search.first has no meaning for search.kind={kind}, which chooses by itself; give it "
            "what it takes with search.arguments."
        )
    if search.trials is not None and len(search.first) > search.trials:
        raise UserError(
            f"search.first has {len(search.first)} settings, more than search.trials="
            f"{search.trials}; raise search.trials."
        )
    if search.sampler not in SAMPLERS and "." not in search.sampler:
        raise UserError(
            f"search.sampler={search.sampler} is not known; choose one of {', '.join(SAMPLERS)}, "
            "or give the dotted path of a sampler."
        )
    if kind != "optuna" and search.sampler != "tpe":
        raise UserError(
            f"search.sampler={search.sampler} has no meaning for search={kind}; take search=optuna."
        )
    for name, value in (("arguments", search.arguments), ("warm_start", search.warm_start)):
        if value and not search.is_adaptive:
            raise UserError(
                f"search.{name} has no meaning for search={kind}, which learns from no trial; "
                "leave it out, or take search=optuna."
            )


def check_objectives(options: FrameworkConfig) -> None:
    """Refuse objectives that are one metric, or that the search cannot optimise together.

    Raises:
      UserError: there are such.
    """
    objectives = objectives_of(options.sweep)
    tags = [one.tag for one in objectives]
    for tag in tags:
        if not tag:
            raise UserError("sweep.objectives has an empty tag; write [TAG, TAG:max].")
        if tags.count(tag) > 1:
            raise UserError(
                f"{tag} stands twice among sweep.metric and sweep.objectives; one is too many."
            )
    search = options.search
    if len(tags) == 1 or not search.is_adaptive:
        return
    if search.is_own or search.sampler in SINGLE_OBJECTIVE:
        chosen = f"kind={search.kind}" if search.is_own else f"sampler={search.sampler}"
        raise UserError(
            f"search.{chosen} optimises one metric, and sweep.objectives names {len(tags) - 1} "
            "more; leave them out, or take search=optuna with tpe or nsgaii."
        )


def leads(options: FrameworkConfig) -> str:
    """Name the choice that makes up trials, or moves them, while others run; empty: none does."""
    scheduler, search = options.scheduler, options.search
    if scheduler.kind == "pbt" or isinstance(scheduler, CustomSchedulerConfig):
        return f"scheduler={scheduler.kind}"
    return f"search={search.kind}" if search.is_adaptive else ""


def register_options(root: str = "") -> None:
    """Make the framework's options known to Hydra: the groups `search` and `scheduler`, and
    `sweeps_options`, a node with all else.

    Args:
      root: see `Application.root`; it is the package of all of them.
    """
    from hydra.core.config_store import ConfigStore  # takes as long to import as all else here

    store = ConfigStore.instance()
    options: dict[str, Any] = {
        "output_dir": "outputs",
        "sweep": OmegaConf.structured(SweepConfig),
        "ray": OmegaConf.structured(RayConfig),
    }
    store.store(name="sweeps_options", node={root: options} if root else options)
    prefix = f"{root}/" if root else ""
    for kind in SEARCHES:
        store.store(group=f"{prefix}search", name=kind, node=SearchConfig(kind=kind))
    for kind, node in SCHEDULERS.items():
        store.store(group=f"{prefix}scheduler", name=kind, node=node)
