"""What the framework needs of an application, as its configuration names it: `hydra.sweeper`."""

from dataclasses import dataclass, field
from pathlib import Path

from omegaconf import MISSING, OmegaConf

from sweeps.config.hook_check import check_hook

PARAMS = "hydra.sweeper.params"
"""Key of the axes that sweep files give."""

NUM_ARGUMENTS = {
    "objective": 2,
    "identify": 1,
    "environment": 2,
    "pack": 2,
    "pack_key": 1,
    "pack_limits": 3,
    "metrics": 1,
    "estimate": 1,
    "relative_cost": 1,
}
"""Field of `Application` that names a function -> positional arguments with which it is called."""


@dataclass
class Application:
    """An application's functions, by dotted path, and its commands, metrics and options."""

    objective: str = MISSING
    """(config, run): trains one trial; runs in a worker."""
    identify: str = MISSING
    """config -> what defines the result; raises UserError for an invalid one."""
    train_command: str = MISSING
    """Command that runs one trial alone, given its overrides: `python -m app.train`."""
    reproduce_command: str | None = None
    """Command that runs a trial again and compares, given its folder: `python -m app.reproduce`."""
    board_command: str | None = None
    """Command that shows runs, given a folder of them: `python -m app.board`."""
    environment: str | None = None
    """(cpus, gpus) -> environment variables of a worker; null: none."""
    pack: str | None = None
    """(configs, runs): trains several trials together in this process, each with a run that is
    entered; ends each by `run.close()`. Null: trials train one by one."""
    pack_key: str | None = None
    """config -> what must be equal for trials to train together; runs in the command's process."""
    pack_limits: str | None = None
    """(config, cpus, gpus) -> how many may train together, a `sweeps.plan.packs.PackLimits`; null:
    as many as `sweep.pack` says."""
    metrics: str | None = None
    """config -> the tags in each kind of report that its trial makes, as a list of them; runs in
    the command's process. Options that name another tag are refused before anything runs. Null: a
    metric that nobody reports ends the sweep after its first reports, or with its first trial."""
    root: str = ""
    """Key of the root configuration that holds the framework's own options; empty: they stand at
    the root itself."""
    single_runs: bool = False
    """Whether the command trains one trial in its own process where nothing is swept."""
    not_swept: list[str] = field(default_factory=list)
    """Options that cannot be axes, beside those of the framework: where and how a trial runs."""
    estimate: str | None = None
    """configs -> what each would cost, a `sweeps.plan.cost.Cost`; null: previews show no cost."""
    relative_cost: str | None = None
    """config -> how long it trains beside others, on any scale; runs in the command's process.
    Null: nothing is known of it, and trials start in their order."""
    charts: dict[str, list[str]] = field(default_factory=dict)
    """Title -> tags whose curves TensorBoard's Custom Scalars tab shows together; with replicates
    their mean and deviation too."""
    schedule_option: str | None = None
    """Option for a list of `{step, key: value}`: numbers that change while a trial runs."""
    schedulable: list[str] = field(default_factory=list)
    """Options that such a change may name."""


def read_application(config_file: Path) -> Application:
    """Read `hydra.sweeper` of an application's root configuration, without composing it."""
    given = OmegaConf.select(OmegaConf.load(config_file), "hydra.sweeper")
    application = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(Application), given))
    assert isinstance(application, Application)
    return application


def check_application(application: Application) -> None:
    """Check the functions that an application names, as far as their sources show them.

    Raises:
      UserError: one is missing, or takes other arguments.
    """
    for name, num_arguments in NUM_ARGUMENTS.items():
        if path := getattr(application, name):
            check_hook(path, num_arguments, f"hydra.sweeper.{name}")
