"""The application's side of a sweep, as it stands under `hydra.sweeper`."""

from dataclasses import dataclass, field

from omegaconf import MISSING


@dataclass
class Program:
    """Functions by dotted path, and what else differs from one application to another."""

    objective: str = MISSING
    """(config, run): trains one trial; runs in a worker."""
    identify: str = MISSING
    """config -> what defines the result; raises UserError for an invalid one."""
    reproduce: str = MISSING
    """Command that runs one trial alone, given its overrides: `python -m app.train`."""
    verify: str | None = None
    """Command that runs a trial again and compares, given its folder: `python -m app.reproduce`."""
    look: str | None = None
    """Command that shows runs, given a folder of them: `python -m app.board`."""
    environment: str | None = None
    """(cpus, gpus) -> environment variables of a worker; null: none."""
    pack: str | None = None
    """(configs, runs): trains several trials together in this process, each with a run that is
    entered; ends each by `run.close()`. Null: trials train one by one."""
    groups: str | None = None
    """config -> what must be equal for trials to train together; runs in the command's process."""
    lanes: str | None = None
    """(config, cpus, gpus) -> how many may train together, a `sweeps.plan.packs.Lanes`; null: as
    many as `sweep.pack` says."""
    estimate: str | None = None
    """configs -> what each would cost, a `sweeps.plan.cost.Cost`; null: previews show no cost."""
    effort: str | None = None
    """config -> how long it trains beside others, on any scale; runs in the command's process.
    Null: nothing is known of it, and trials start in their order."""
    charts: dict[str, list[str]] = field(default_factory=dict)
    """Title -> tags whose curves TensorBoard's Custom Scalars tab shows together; with replicates
    their mean and deviation too."""
    changes: str | None = None
    """Option for a list of `{step, key: value}`: numbers that change while a trial runs."""
    changeable: list[str] = field(default_factory=list)
    """Options that such a change may name."""


@dataclass(frozen=True)
class Application:
    """The application's functions, by dotted path: `hydra.sweeper` names the same."""

    objective: str
    identify: str
    environment: str | None = None
    pack: str | None = None
