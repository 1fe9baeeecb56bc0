"""The Hydra sweeper `ray_tune`: composes and checks every trial, runs them, ranks them.

A trial is a list of Hydra overrides. All of them are composed, checked by the application and
fingerprinted before Ray starts; the workers get values, not Hydra.
"""

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue
from rich.console import Console

from sweeps import space
from sweeps.command import INTERRUPTED, exit_on_user_error
from sweeps.errors import UserError
from sweeps.files import make_directory
from sweeps.hooks import locate, source_folder
from sweeps.options import SweepOptions, checked
from sweeps.outcome import Outcome, settle
from sweeps.plan import Planned, plan
from sweeps.progress import Progress
from sweeps.provenance import collect
from sweeps.store import read_trial, write_trial
from sweeps.table import Row, print_results, rank, write_results
from sweeps.worker import Work


@dataclass
class SweeperConfig:
    """`hydra.sweeper`: what is swept, and the application's functions by dotted path."""

    _target_: str = "hydra_plugins.ray_tune.RayTuneSweeper"
    params: dict[str, Any] = field(default_factory=dict)
    """Override key -> values in Hydra's grammar; a sweep file fills this in."""
    objective: str = MISSING
    """Function (config, run) that trains one trial; runs in a worker."""
    identify: str = MISSING
    """Function config -> what defines the result; raises UserError for an invalid one."""
    environment: str | None = None
    """Function (cpus, gpus) -> environment variables of a worker; null: none."""
    reproduce: str = MISSING
    """Command that runs one trial alone, given its overrides: `python -m app.train`."""


def register() -> None:
    """Make `hydra/sweeper=ray_tune` known to Hydra; call it before Hydra composes."""
    plugins = Plugins.instance()
    # Hydra takes plugins from modules below hydra_plugins only. A real one would be imported at
    # the start of every Hydra program on the machine, so this one exists in our process only.
    package, module = (
        sys.modules.setdefault(name, ModuleType(name))
        for name in ("hydra_plugins", RayTuneSweeper.__module__)
    )
    vars(package)["ray_tune"] = module
    vars(module)["RayTuneSweeper"] = RayTuneSweeper
    plugins.register(RayTuneSweeper)
    ConfigStore.instance().store(group="hydra/sweeper", name="ray_tune", node=SweeperConfig)


class RayTuneSweeper(Sweeper):
    """Runs the trials of a sweep in parallel through Ray Tune."""

    __module__ = "hydra_plugins.ray_tune"  # see `register`

    def __init__(
        self,
        params: Mapping[str, Any],
        objective: str,
        identify: str,
        environment: str | None,
        reproduce: str,
    ) -> None:
        self.params = dict(params)
        self.objective = objective
        self.identify = identify
        self.environment = environment
        self.reproduce = reproduce
        self.console = Console(file=sys.stdout)

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Take what Hydra hands to every sweeper; the task function is not used."""
        self._loader = hydra_context.config_loader
        self._master = config

    @exit_on_user_error()
    def sweep(self, arguments: list[str]) -> None:
        """Run the sweep of a command line.

        The process exits with 1 if a trial failed, with 130 after Ctrl-C.
        """
        options = checked(_sweep_options(self._master))
        found = self._space(arguments)
        trials = plan(found, self._compose, locate(self.identify))
        folder = Path(self._master.output_dir) / _sweep_name(options, self._master, found)
        outcome = self._run(folder, trials, options)
        rows = [
            Row(trial.settings, trial.overrides, settle(folder / trial.name, outcome))
            for trial in trials
        ]
        ranked = rank(rows, options.metric, options.mode)
        write_results(folder / "results.csv", ranked, options.metric)
        print_results(self.console, folder, ranked, options.metric, self.reproduce)
        if outcome.interrupted:
            sys.exit(INTERRUPTED)
        if any(row.trial.status == "failed" for row in rows):
            sys.exit(1)

    def _space(self, arguments: list[str]) -> space.Space:
        parser = OverridesParser.create(config_loader=self._loader)
        params = [space.param_text(key, value) for key, value in self.params.items()]
        found = space.build(parser.parse_overrides(params), parser.parse_overrides(arguments))
        if not found.axes:
            raise UserError(
                "there is nothing to sweep over; name a sweep file with +sweep=NAME or give an "
                f"option several values, as in key=1,2; for a single run use {self.reproduce}."
            )
        return found

    def _compose(self, overrides: Sequence[str]) -> Mapping[str, Any]:
        composed = self._loader.load_sweep_config(self._master, list(overrides))
        keys = [str(key) for key in composed if key != "hydra"]
        return _plain(OmegaConf.masked_copy(composed, keys))

    def _run(self, folder: Path, trials: Sequence[Planned], options: SweepOptions) -> Outcome:
        """Run what is not done yet."""
        make_directory(folder)
        left = [trial for trial in trials if not _is_done(folder / trial.name, trial.fingerprint)]
        if not left:
            return Outcome()
        provenance = collect(source_folder(self.objective))
        for trial in left:
            write_trial(
                folder / trial.name,
                config=trial.config,
                overrides=trial.overrides,
                fingerprint=trial.fingerprint,
                provenance=provenance,
            )
        progress = Progress(
            [trial.name for trial in left],
            kept=len(trials) - len(left),
            tags=options.progress,
            console=self.console,
        )
        kept = f", {len(trials) - len(left)} of them done before" if len(left) < len(trials) else ""
        self.console.print(f"{len(trials)} trials{kept}, in {folder}", highlight=False)
        from sweeps.runner import run_trials  # imports Ray

        return run_trials(
            [(folder / trial.name).absolute() for trial in left],
            Work(self.objective, options.metric, options.mode, folder=str(Path.cwd())),
            options,
            environment=self.environment,
            scratch=(folder / ".ray").absolute(),
            progress=progress,
        )


def _sweep_options(config: DictConfig) -> SweepOptions:
    options = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(SweepOptions), config.sweep))
    assert isinstance(options, SweepOptions)
    return options


def _sweep_name(options: SweepOptions, config: DictConfig, found: space.Space) -> str:
    """`sweep.name`, else the sweep file's name, else the axes'."""
    chosen = options.name or config.hydra.runtime.choices.get("sweep")
    name = chosen or "_x_".join(space.short_keys([axis.key for axis in found.axes]))
    if not re.fullmatch(r"[A-Za-z0-9._+-]{1,180}", name) or name.startswith("."):
        raise UserError(
            f"sweep.name={name} cannot name a folder; use letters, digits and ._+- only."
        )
    return str(name)


def _plain(config: Any) -> Mapping[str, Any]:
    try:
        values = OmegaConf.to_container(
            config, resolve=True, throw_on_missing=True, enum_to_str=True
        )
    except MissingMandatoryValue as error:
        raise UserError(
            f"{error.full_key} has no value; give it one on the command line."
        ) from error
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items()}


def _is_done(directory: Path, fingerprint: str) -> bool:
    trial = read_trial(directory)
    return trial.done and trial.fingerprint == fingerprint
