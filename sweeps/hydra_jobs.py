"""Sweeps of any program with `@hydra.main`: each trial is one of Hydra's jobs.

A worker composes the job's configuration and runs it as Hydra's launchers do, so that
`hydra.sweep.dir`, `hydra.sweep.subdir`, `hydra.job.num` and `hydra.job.override_dirname` mean what
they always do, and callbacks and logging of jobs work. What the program returns is the metric.
`hydra.sweep.dir` is the sweep's folder: a command that gives the same one goes on with its trials.
"""

import shlex
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, run_job, setup_globals
from hydra.errors import CompactHydraException
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from sweeps.cli.command_line import command_to_go_on
from sweeps.config import Application, composition_errors, parse_framework_config
from sweeps.driver import run_sweep
from sweeps.errors import UserError
from sweeps.io.atomic import make_directory, write_bytes, write_text
from sweeps.io.console import make_console
from sweeps.io.lock import is_locked
from sweeps.io.url import is_url
from sweeps.plan import Planner, plan_sweep
from sweeps.preview import preview_sweep
from sweeps.search import Space, read_space
from sweeps.search.space import in_grammar
from sweeps.store import Trial, read_config, read_sweep
from sweeps.store.sweep import SWEEP_FILE, lock_path
from sweeps.store.trial import DamagedFileError
from sweeps.tracking import Run, activate

HYDRA = "hydra"
"""Key of Hydra's own options, under which those of the sweep stand."""
TASK_FILE = "task.pkl"
"""In a sweep's folder: the program's function and configuration, for the workers."""
RETURN_FILE = "job_return.pkl"
"""In a trial's folder: Hydra's `JobReturn` of its job."""


class JobSweep:
    """The sweep of a multirun."""

    def __init__(
        self,
        options: Mapping[str, Any],
        hydra_context: HydraContext,
        task_function: TaskFunction,
        config: DictConfig,
    ) -> None:
        """Take the keys of `hydra.sweeper`, and what Hydra gives to sweepers."""
        self._options, self._context = options, hydra_context
        self._task, self._config = task_function, config
        self._numbers: dict[tuple[str, ...], int] = {}
        """Overrides of a job -> its number. Jobs of the sweep's folder keep theirs, by which their
        output folders are named; others come after them, in the order of the grid."""
        self._order: dict[str, int] = {}
        """Override key -> its place on the command line."""

    def run(self, arguments: Sequence[str]) -> list[list[JobReturn]]:
        """Run the jobs of a command line that are not done.

        Returns:
          One batch, with the return of each job.

        Raises:
          CompactHydraException: bad input, or the sweep ended before its jobs.
          SystemExit: a job failed (1), or a signal ended the sweep (128 and its number).
        """
        try:
            return self._run(list(arguments))
        except UserError as error:
            raise CompactHydraException(str(error)) from error

    def _run(self, arguments: list[str]) -> list[list[JobReturn]]:
        OverridesParser.create().parse_overrides(arguments)
        space = self._space(arguments)
        sections = {key: self._options[key] for key in ("sweep", "search", "scheduler", "ray")}
        options = parse_framework_config(OmegaConf.create(sections))
        if options.scheduler.kind == "pbt":
            raise UserError("scheduler=pbt needs a program that changes numbers; take another.")
        # Evaluates the time of the start, once for all jobs.
        where = str(self._config.hydra.sweep.dir)
        if is_url(where):
            raise UserError(f"hydra.sweep.dir={where} is a URL; jobs write to a folder, give one.")
        folder = Path(where)
        self._numbers = recorded = _recorded_numbers(folder)
        application = Application(
            objective=f"{(folder / TASK_FILE).absolute()}:objective",
            identify="sweeps.hydra_jobs.identify",
            environment="sweeps.config.hooks.thread_limits",
            train_command=_command(),
            board_command="python -m sweeps board",
        )
        planner = Planner(
            space=space,
            compose=self._compose,
            identify=identify,
            train_command=application.train_command,
            root=HYDRA,
        )
        plan = plan_sweep(
            folder=folder,
            planner=planner,
            options=options,
            application=application,
            console=make_console(sys.stdout),
        )
        if plan.is_adaptive:
            self._numbers = recorded  # without settings that only stood for the search
        if options.sweep.preview:
            preview_sweep(plan)
            return []
        plan.open_folder()  # refuses a folder of another sweep
        if is_locked(lock_path(folder)):
            raise UserError(f"another command is running the sweep in {folder}; wait for it.")
        self._write(folder)
        # By default the folder is a new one every second.
        has_folder = any(one.startswith("hydra.sweep.dir=") for one in sys.orig_argv)
        more = [] if has_folder else [f"hydra.sweep.dir={in_grammar('hydra.sweep.dir', where)}"]
        status = run_sweep(plan, command_to_go_on(arguments, *more))
        trials = read_sweep(folder).trials
        # A program need not return a number, and then no job has a value.
        if status and not all(trial.done for trial in trials):
            sys.exit(status)
        return [self._returns(trials)]

    def _space(self, arguments: list[str]) -> Space:
        params = OmegaConf.to_container(OmegaConf.create(self._options["params"]))
        assert isinstance(params, dict)
        loader = self._context.config_loader
        parsed = OverridesParser.create(config_loader=loader).parse_overrides(arguments)
        for override in parsed:
            if override.is_sweep_override() and override.is_hydra_override():
                raise UserError(
                    "Sweeping over Hydra's configuration is not supported : "
                    f"'{override.input_line}'"
                )
        space = read_space(
            {str(key): params[key] for key in params}, arguments, loader, self._config, (), HYDRA
        )
        keys = [one.get_key_element() for one in parsed]
        keys = [*(axis.override_key for axis in space.axes if axis.override_key not in keys), *keys]
        self._order = {key: place for place, key in enumerate(keys)}
        return space

    def _compose(self, overrides: Sequence[str]) -> tuple[Mapping[str, Any], Mapping[str, str]]:
        """Compose a job's configuration; its interpolations stay as they are written."""
        ordered = sorted(overrides, key=lambda one: self._order.get(one.partition("=")[0], -1))
        with composition_errors():
            composed = self._context.config_loader.load_sweep_config(self._config, ordered)
        number = self._numbers.get(tuple(ordered), max(self._numbers.values(), default=-1) + 1)
        self._numbers = {**self._numbers, tuple(ordered): number}
        chosen = composed.hydra.runtime.choices.items()
        choices = {str(key): str(file) for key, file in chosen if not str(key).startswith("hydra/")}
        with open_dict(composed):
            del composed["hydra"]
        plain = OmegaConf.to_container(composed, enum_to_str=True)
        assert isinstance(plain, dict)
        job = {"overrides": ordered, "num": number}
        return {**{str(key): plain[key] for key in plain}, HYDRA: {"job": job}}, choices

    def _write(self, folder: Path) -> None:
        """Write what the workers need, and `multirun.yaml` as Hydra's own sweeper does."""
        import cloudpickle

        make_directory(folder)
        write_text(folder / "multirun.yaml", OmegaConf.to_yaml(self._config))
        jobs = Jobs(self._context, self._task, self._config, Singleton.get_state())
        write_bytes(folder / TASK_FILE, cloudpickle.dumps(jobs))

    def _returns(self, trials: Sequence[Trial]) -> list[JobReturn]:
        import cloudpickle

        files = [trial.directory / RETURN_FILE for trial in trials]
        found = [cloudpickle.loads(file.read_bytes()) for file in files if file.exists()]
        return sorted(found, key=lambda done: int(done.hydra_cfg.hydra.job.num))


def _recorded_numbers(folder: Path) -> dict[tuple[str, ...], int]:
    """Overrides of each job in a sweep's folder -> its number."""
    if not (folder / SWEEP_FILE).exists():
        return {}
    jobs = []
    for trial in read_sweep(folder).trials:
        with suppress(DamagedFileError, KeyError, TypeError):
            jobs.append(read_config(trial.directory)[HYDRA]["job"])
    return {tuple(job["overrides"]): int(job["num"]) for job in jobs}


@dataclass(frozen=True)
class Jobs:
    """What a worker needs to run the jobs of a multirun."""

    context: HydraContext
    task: TaskFunction
    config: DictConfig
    singletons: Any
    """State of Hydra's singletons in the command's process."""

    def objective(self, config: Mapping[str, Any], run: Run) -> Any:
        """Run a job.

        Args:
          config: the trial's; its entry `hydra` has the job's overrides and number.
          run: the trial's.

        Returns:
          What the program returns, if it is a number; Hydra lets it return anything.
        """
        import cloudpickle

        job = config[HYDRA]["job"]
        setup_globals()
        Singleton.set_state(self.singletons)
        composed = self.context.config_loader.load_sweep_config(self.config, list(job["overrides"]))
        with open_dict(composed):
            composed.hydra.job.id = f"{composed.hydra.job.name}_{job['num']}"
            composed.hydra.job.num = job["num"]
        HydraConfig.instance().set_config(composed)
        with activate(run):
            done = run_job(
                hydra_context=self.context,
                task_function=self.task,
                config=composed,
                job_dir_key="hydra.sweep.dir",
                job_subdir_key="hydra.sweep.subdir",
            )
        value = done.return_value  # raises what the program raised
        write_bytes(run.directory / RETURN_FILE, cloudpickle.dumps(done))
        return value if _is_number(value) else None


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError, RuntimeError):
        return False
    return not isinstance(value, str | bytes)


def identify(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what defines a job's result: its whole configuration, but for Hydra's own."""
    return {str(key): config[key] for key in config if key != HYDRA}


def _command() -> str:
    """The command of this program, which runs one job alone, given its overrides."""
    main = sys.modules["__main__"]
    if spec := getattr(main, "__spec__", None):
        return shlex.join(["python", "-m", spec.name.removesuffix(".__main__")])
    return shlex.join(["python", sys.argv[0]])
