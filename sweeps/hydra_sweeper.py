"""The Hydra sweeper `ray_tune`, which passes the sweep of a command line to the driver.

A trial is a list of Hydra overrides. All of them are composed, checked by the application and
fingerprinted before Ray starts; the workers get values, not Hydra.
"""

import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from types import ModuleType
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from sweeps.cli.command_line import command_to_go_on
from sweeps.cli.exit import exit_on_user_error
from sweeps.cli.progress import RunProgress
from sweeps.config import (
    Application,
    Composer,
    FrameworkConfig,
    PBTConfig,
    SweepConfig,
    check_metric,
    check_text,
    composition_errors,
    framework_keys,
    framework_section,
    locate,
    parse_framework_config,
    program_files,
    source_folder,
)
from sweeps.driver import run_sweep
from sweeps.errors import UserError, did_you_mean
from sweeps.io.console import make_console, print_line
from sweeps.io.mirror import mirror_of
from sweeps.io.url import is_url, refuse_secrets
from sweeps.naming import check_folder_name, short_keys
from sweeps.plan import Planner, plan_sweep
from sweeps.plan.planner import trial_command
from sweeps.plan.sweep_plan import tell_edited
from sweeps.preview import preview_sweep
from sweeps.search import Space, read_space
from sweeps.single_run import FOLDER as SINGLE_RUNS
from sweeps.single_run import SingleRun, given_settings, run_name
from sweeps.store import TrialSpec, fingerprint, read_trial
from sweeps.store.provenance import collect, hashes, read_provenance
from sweeps.store.trial import CHECKPOINTS
from sweeps.tracking import Interrupt


@dataclass
class SweeperConfig(Application):
    """Keys of `hydra.sweeper`: what is swept, and the application's hooks and commands."""

    _target_: str = "hydra_plugins.ray_tune.RayTuneSweeper"
    params: dict[str, Any] = field(default_factory=dict)
    """Override key -> values in Hydra's grammar; a sweep file fills this in."""


def register() -> None:
    """Make `hydra/sweeper=ray_tune` known to Hydra; call it before Hydra composes."""
    plugins = Plugins.instance()
    # Hydra takes plugins from modules below hydra_plugins only. A real one would be imported at
    # the start of every Hydra program on the machine, so this one exists in this process only.
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

    def __init__(self, params: Mapping[str, Any], **application: Any) -> None:
        self.params = _plain(params)
        self.application = Application(**application)
        self.console = make_console(sys.stdout)
        self._command = ""
        """Goes on with the sweep; empty: no command line started it."""

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Take what Hydra gives to every sweeper. The task function is not used."""
        self._loader = hydra_context.config_loader
        self._master = config

    @exit_on_user_error(goes_on=True)
    def sweep(self, arguments: list[str]) -> None:
        """Run the sweep of a command line.

        The process exits with 1 if a trial failed, with 130 after Ctrl-C.
        """
        self._command = command_to_go_on(arguments)
        if status := self.run(arguments).status:
            sys.exit(status)

    def run(self, arguments: list[str]) -> "SweepEnd":
        """Run the sweep of a command line, or its single run where nothing is swept.

        Raises:
          UserError: bad input, or the sweep ended before its trials.
          KeyboardInterrupt: a signal stopped the single run.
        """
        root = self.application.root
        with composition_errors():
            section = framework_section(self._master, root)
            options = _framework_config(section)
            output_dir = str(section.output_dir)
        check_text("output_dir", output_dir)
        found = self._space(arguments)
        refuse_secrets(output_dir)
        if not found.axes:
            return self._run_single(found, options.sweep, Path(output_dir))
        mirror = mirror_of(output_dir) if is_url(output_dir) else None
        base = mirror.local if mirror else Path(output_dir)
        folder = base / _sweep_name(options.sweep, self._master, found)
        planner = Planner(
            space=found,
            compose=Composer(self._loader, self._master, [axis.key for axis in found.axes]),
            identify=locate(self.application.identify),
            train_command=self.application.train_command,
            reproduce_command=self.application.reproduce_command or "",
            population=_population(options),
            root=root,
        )
        plan = plan_sweep(
            folder=folder,
            planner=planner,
            options=options,
            application=self.application,
            console=self.console,
            mirror=mirror,
        )
        if options.sweep.preview:
            preview_sweep(plan)
            return SweepEnd(folder, 0)
        return SweepEnd(folder, run_sweep(plan, self._command))

    def _run_single(self, found: Space, options: SweepConfig, output_dir: Path) -> "SweepEnd":
        if is_url(str(output_dir)):
            raise UserError(
                f"output_dir={output_dir} is a URL, and a single run writes to a folder; give "
                "output_dir=DIR."
            )
        application, of_command = self.application, framework_keys(self.application.root)
        config, choices = Composer(self._loader, self._master, [])(found.fixed)
        key = fingerprint(locate(application.identify)(config))
        if application.metrics:
            check_metric(options.metric, locate(application.metrics)(config))
        settings = given_settings(
            found.fixed, lambda option: re.split("[./]", option)[0] in (*of_command, "sweep")
        )
        spec = TrialSpec(
            config=config,
            overrides=found.fixed,
            settings=settings,
            fingerprint=key,
            train_command=trial_command(application.train_command, found.fixed, application.root),
            choices=choices,
            reproduce_command=application.reproduce_command or "",
        )
        if options.name:
            check_folder_name("sweep.name", options.name)
        directory = output_dir / SINGLE_RUNS / (options.name or run_name(settings, key))
        run = SingleRun(
            directory=directory,
            spec=spec,
            metric=options.metric,
            mode=options.mode,
            keep_checkpoints=options.keep_checkpoints,
        )
        if options.preview:
            print_line(self.console, f"Nothing is swept: one run, in {directory}")
            return SweepEnd(directory, 0)
        if options.fresh:
            run.move_aside(self.console)
        objective = application.objective
        if run.is_done:
            recorded = read_provenance(directory).facts.get("files") or {}
            now = hashes(source_folder(objective), program_files(objective))
            tell_edited(recorded, now, self.console)
            run.keep(self.console, "sweep.fresh=true")
        else:
            self._train(run, objective)
        trial = read_trial(directory)
        if trial.metrics and options.metric not in trial.metrics:
            known = did_you_mean(options.metric, list(trial.metrics))
            print_line(self.console, f"{options.metric} was not reported; {known}?", style="yellow")
        print_line(self.console, trial.summary())
        print_line(self.console, f"results:    {directory}")
        if application.board_command:
            look = shlex.quote(str(directory.parent))
            print_line(self.console, f"look at it: {application.board_command} {look}")
        return SweepEnd(directory, 0)

    def _train(self, run: SingleRun, objective: str) -> None:
        """Train a single run in this process; a first signal has it save and stop."""
        provenance = collect(source_folder(objective), program_files(objective))
        try:
            with RunProgress(self.console, run.metric) as progress, Interrupt() as interrupt:
                shown = progress.reported, interrupt, progress.phase
                run.train(locate(objective), provenance, *shown)
        except KeyboardInterrupt as error:
            if str(error):
                goes_on = (run.directory / CHECKPOINTS).exists()
                how = "goes on from there" if goes_on else "starts it again: it saved no state"
                print_line(self.console, f"{error}; the same command {how}.")
            raise

    def _space(self, arguments: list[str]) -> Space:
        found = read_space(
            self.params,
            arguments,
            self._loader,
            self._master,
            self.application.not_swept,
            self.application.root,
        )
        if not found.axes and not self.application.single_runs:
            raise UserError(
                "there is nothing to sweep over; name a sweep file with +sweep=NAME or give an "
                "option several values, as in key=1,2; for a single run use "
                f"{self.application.train_command}."
            )
        return found


def _plain(params: Mapping[str, Any]) -> dict[str, Any]:
    """Entries of a sweep file, in which Hydra has left lists and mappings of its own."""
    return {
        str(key): OmegaConf.to_container(value, resolve=True)
        if OmegaConf.is_config(value)
        else value
        for key, value in params.items()
    }


@dataclass(frozen=True)
class SweepEnd:
    """How a command ended."""

    folder: Path
    """The sweep's, or the single run's."""
    status: int
    """Exit status, see `run_sweep`."""


def _framework_config(config: DictConfig) -> FrameworkConfig:
    sections = [item.name for item in fields(FrameworkConfig)]
    return parse_framework_config(OmegaConf.masked_copy(config, sections))


def _population(options: FrameworkConfig) -> dict[str, Any]:
    """Options of population based training; empty: it is not used."""
    if not isinstance(options.scheduler, PBTConfig):
        return {}
    # Null: options that once stood beside these; with them such trials are the same as before.
    return {"grace": None, "factor": None, "samples": None, **asdict(options.scheduler)}


def _sweep_name(options: SweepConfig, config: DictConfig, found: Space) -> str:
    """`sweep.name`, else the sweep file's name, else the axes'."""
    chosen = options.name or config.hydra.runtime.choices.get("sweep")
    name = chosen or "_x_".join(short_keys([axis.key for axis in found.axes]))
    check_folder_name("sweep.name", name)
    return str(name)
