"""A function as single run, sweep and reproduction: `@sweeps.experiment`, and `sweeps.run`.

    @sweeps.experiment("conf/config.yaml", metric="valid/loss")
    def train(config, run):
        for step in range(run.start, 100):
            run.report(step, {"valid/loss": ...}, 100)

    if __name__ == "__main__":
        train.main()

Hydra composes the options: those of the function come from a configuration file, from a dataclass,
or from the function's own arguments; those of `sweep`, `search`, `scheduler` and `ray` from the
framework. A sweep's workers import the file that holds the function, and call it there.
"""

import dataclasses
import hashlib
import inspect
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra import initialize, initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf

from sweeps import hydra_sweeper
from sweeps.cli.exit import exit_on_user_error
from sweeps.config import (
    Application,
    check_against,
    composition_errors,
    framework_keys,
    parse_overrides,
    register_options,
)
from sweeps.config.grammar import quoted
from sweeps.config.hooks import is_loading
from sweeps.errors import UserError, did_you_mean
from sweeps.function_options import FunctionOptions, Source
from sweeps.hydra_main import HydraCommand, run_command
from sweeps.io.atomic import make_directory, write_bytes
from sweeps.search.space import in_grammar
from sweeps.tracking import Run

if TYPE_CHECKING:
    from sweeps.analysis.dataframes import Results

OBJECTIVES = ".objectives"
"""Folder below that of all results: functions that no file holds."""
_ROOT_NODE = "sweeps_experiment"
_IDENTITY = "hydra.sweeper.objective"
"""Entry of a trial's identity that tells two programs apart."""


def experiment(
    config: Source | Callable[..., Any] = None,
    *,
    metric: str = "value",
    mode: str = "min",
    metrics: Sequence[str] = (),
    root: str = "",
) -> Any:
    """Make a function a command that trains once, sweeps and reproduces; a decorator.

    The function is called as `function(config, run)`. `config` has the options, read only: an
    OmegaConf `DictConfig`, or an instance of the dataclass. `run` is a `sweeps.Run`: it takes
    reports, and saves and restores states. A returned number is the metric's value; a returned
    mapping has metrics by tag.

    Without `config`, the arguments of the function other than `run` are the options, with their
    annotations as types and their defaults:

        @sweeps.experiment(metric="loss")
        def train(lr: float = 0.1, layers: int = 2):
            return loss

    A function stays what it is when it is called: `train(0.1, 2)`.

    Args:
      config: path of a configuration file, relative to the file of the function; or a dataclass;
        or None: the dataclass that annotates the argument `config`, else the function's arguments.
      metric: tag by which trials are ranked, the default of `sweep.metric`.
      mode: which end of the metric is best, `min` or `max`; the default of `sweep.mode`.
      metrics: all tags that the function reports, if they are known: another `sweep.metric` is then
        refused before anything runs.
      root: key under which the options of `sweeps` stand, for programs that have options named
        `sweep`, `search`, `scheduler`, `ray` or `output_dir` themselves. With `root="tune"` one
        writes `tune.scheduler=asha`.

    Returns:
      The decorator; or the `Experiment`, where it is given a function and nothing else.

    Raises:
      UserError: the function or the source of its options is none; also when it is decorated.
    """
    if inspect.isfunction(config):
        return Experiment(config)
    source: Any = config
    return lambda function: Experiment(
        function, source, metric=metric, mode=mode, metrics=metrics, root=root
    )


class Experiment:
    """A function that is a command; `experiment` makes it."""

    def __init__(
        self,
        function: Callable[..., Any],
        config: Source = None,
        *,
        metric: str = "value",
        mode: str = "min",
        metrics: Sequence[str] = (),
        root: str = "",
    ) -> None:
        """See `experiment`."""
        if not callable(function):
            raise UserError(f"{function!r} is no function; decorate one.")
        self.function, self.metric, self.mode, self.root = function, metric, mode, root
        self.metrics = tuple(metrics)
        self.__doc__, self.__name__ = function.__doc__, getattr(function, "__name__", "objective")
        self.__module__ = function.__module__
        if root and not root.isidentifier():
            raise UserError(f"root={root!r} is no name of an option; give one such as 'tune'.")
        self._options = FunctionOptions(function, config)
        self._path = ""
        """Where a worker finds this object; empty: in the file that holds the function."""
        self._name = ""
        """What the command line calls it, in place of that path: `train.py:train`."""
        self._digest = ""
        """Of the function's source, where no file holds it: a notebook's cell is edited often."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        return self.function(*args, **kwargs)

    def main(self, arguments: Sequence[str] | None = None) -> None:
        """Run the command: a single run, a sweep, or with `reproduce FOLDER` a reproduction.

        In a worker, which imports the file of the function, it does nothing.

        Args:
          arguments: of the command line; None: this process's.
        """
        if is_loading():
            return
        given = list(sys.argv[1:] if arguments is None else arguments)
        with exit_on_user_error(goes_on=True):
            _save_if_plain(self, given)
            application = self.application()
        if given[:1] == ["reproduce"]:
            from sweeps.reproduce.command import main

            sys.exit(main(application, given[1:]))
        with exit_on_user_error(goes_on=True):
            self._register(application)
        command = HydraCommand(
            name=application.train_command,
            config_dir=self._options.config_dir,
            config_name=_ROOT_NODE,
            mode="MULTIRUN",
            check=self._check,
        )
        run_command(command, _not_called, given)

    def run(self, arguments: Sequence[str]) -> Path:
        """Run the sweep of some overrides in this process, as a notebook does.

        Returns:
          The sweep's folder.

        Raises:
          UserError: bad input, or the sweep ended before its trials.
        """
        application = dataclasses.replace(self.application(), single_runs=False)
        self._register(application)
        self._check(arguments)
        with _hydra(self._options.config_dir) as loader, composition_errors():
            overrides = [*arguments, "hydra.mode=MULTIRUN"]
            master = loader.load_configuration(_ROOT_NODE, overrides, run_mode=RunMode.MULTIRUN)
            options = OmegaConf.to_container(master.hydra.sweeper)
            assert isinstance(options, dict)
            del options["_target_"]
            sweeper = hydra_sweeper.RayTuneSweeper(**{str(key): options[key] for key in options})
            context = HydraContext(config_loader=loader, callbacks=None)  # type: ignore[arg-type]
            sweeper.setup(hydra_context=context, task_function=_not_called, config=master)
            return sweeper.run(list(arguments)).folder

    def objective(self, config: Mapping[str, Any], run: Run) -> Any:
        """Call the function for a trial; a worker does.

        Args:
          config: the trial's resolved configuration.
          run: of the trial.

        Returns:
          What the function returns.
        """
        return self._options(self._own(config), run)

    def identify(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return what defines a trial's result: the options that are the function's own.

        Raises:
          UserError: an option is missing or out of its range.
        """
        own = self._own(config)
        self._options.check(own)
        return {**own, _IDENTITY: f"{self._options.name} {self._digest}".strip()}

    def reports(self, config: Mapping[str, Any]) -> list[list[str]]:
        """Return the tags that a trial reports."""
        return [list(self.metrics)]

    def application(self) -> Application:
        """Return what the framework needs to know of the function."""
        path = self._path or _path_of(self.function)
        if not path:
            raise UserError(
                f"{self._options.name} is in no file that a worker could import; sweep over it "
                "with sweeps.run(...), or define it at the top level of a file."
            )
        command = _command_of(self._name or path, self._is_main())
        return Application(
            objective=f"{path}.objective".replace(":.", ":"),
            identify=f"{path}.identify".replace(":.", ":"),
            metrics=f"{path}.reports".replace(":.", ":") if self.metrics else None,
            train_command=command,
            reproduce_command=f"{command} reproduce",
            board_command="python -m sweeps board",
            environment="sweeps.config.hooks.thread_limits",
            root=self.root,
            single_runs=True,
        )

    def _is_main(self) -> bool:
        """Whether the function's file is the program that runs."""
        return not self._path and self.function.__module__ == "__main__"

    def _own(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """The options of the function itself."""
        ours = framework_keys(self.root)
        return {str(key): config[key] for key in config if key not in ours}

    def _register(self, application: Application) -> None:
        """Make the root of the configuration known to Hydra.

        Raises:
          UserError: the function's own options collide with the framework's.
        """
        hydra_sweeper.register()
        register_options(self.root)
        prefix = f"{self.root}/" if self.root else ""
        defaults: list[Any] = ["sweeps_options", {f"{prefix}search": "grid"}]
        defaults += [{f"{prefix}scheduler": "none"}, *self._options.defaults(self.root), "_self_"]
        defaults += [{"override hydra/sweeper": "ray_tune"}]
        if not self._options.sets("hydra/job_logging"):
            defaults += [{"override hydra/job_logging": "stdout"}]
        if not self._options.sets("hydra/hydra_logging"):
            defaults += [{"override hydra/hydra_logging": "none"}]
        sweeper = {
            item.name: getattr(application, item.name)
            for item in dataclasses.fields(application)
            if getattr(application, item.name) not in (None, [], {})
        }
        hydra = {
            "run": {"dir": "."},
            "output_subdir": None,
            "sweeper": sweeper,
            "help": {"app_name": application.train_command, "header": self._help(application)},
        }
        store = ConfigStore.instance()
        store.store(name=_ROOT_NODE, node={"defaults": defaults, "hydra": hydra})
        store.store(name="sweeps_metric", node=self._metric_node())
        self._options.register()

    def _metric_node(self) -> dict[str, Any]:
        found = {"sweep": {"metric": self.metric, "mode": self.mode}}
        return {self.root: found} if self.root else found

    def _help(self, application: Application) -> str:
        command, prefix = application.train_command, f"{self.root}." if self.root else ""
        about = inspect.cleandoc(self.function.__doc__ or f"Trains {self._options.name}.")
        return (
            f"{about}\n\n"
            f"  {command} KEY=VALUE                one run\n"
            f"  {command} KEY=VALUE,VALUE          a sweep: each value is a trial\n"
            f"  {command} reproduce FOLDER         run a trial again and compare\n"
            f"  {command} {prefix}sweep.preview=true ...    what a sweep would run\n"
        )

    def _check(self, arguments: Sequence[str]) -> None:
        """Refuse overrides of options and files that there are not.

        Raises:
          UserError: there is one.
        """
        given = [one for one in arguments if not one.startswith("-")]
        if any(one.startswith(("--config", "-c")) for one in arguments):
            return  # files of the user's own, of which nothing is known here
        overrides = parse_overrides(given)
        with _hydra(self._options.config_dir) as loader, composition_errors():
            compose = partial(self._compose, loader)
            check_against(overrides, loader, compose, closed=self._options.schema is not None)

    def _compose(self, loader: ConfigLoader, overrides: Sequence[str]) -> DictConfig:
        return loader.load_configuration(_ROOT_NODE, list(overrides), run_mode=RunMode.MULTIRUN)


def run(
    objective: Experiment | Callable[..., Any],
    axes: Mapping[str, Any],
    *,
    name: str | None = None,
    metric: str | None = None,
    mode: str | None = None,
    search: str | None = None,
    trials: int | None = None,
    scheduler: str | None = None,
    output_dir: str | Path | None = None,
    fresh: bool = False,
    options: Mapping[str, Any] | None = None,
) -> "Results":
    """Sweep over the options of a function, from Python or a notebook, and return the results.

        results = sweeps.run(train, {"lr": [0.1, 0.01], "seed": [0, 1]})
        results.trials

    The same call again keeps the trials that are done, and goes on with those that are not.

    Args:
      objective: an `Experiment`, or a function whose arguments are its options; it may be defined
        in a notebook.
      axes: option -> a list of its values; or a text in Hydra's grammar, such as
        "tag(log,interval(1e-4,1))" of which a search draws numbers; or one value.
      name: of the sweep's folder; None: made from the axes.
      metric: tag by which trials are ranked; None: the experiment's.
      mode: `min` or `max`; None: the experiment's.
      search: `grid`, `random` or `optuna`; None: grid.
      trials: number of trials of a random or Optuna search.
      scheduler: `none`, `asha` or `median`; None: none.
      output_dir: root of all results; None: `outputs`.
      fresh: whether an earlier sweep of this name is moved aside, and all is trained again.
      options: further options, such as {"sweep.cpus_per_trial": 2}.

    Returns:
      What `sweeps.load` returns for the sweep's folder.

    Raises:
      UserError: bad input, or the sweep ended before its trials.
    """
    found = _as_experiment(objective)
    chosen = {
        "search": search,
        "scheduler": scheduler,
        "search.trials": trials,
        "sweep.name": name,
        "sweep.metric": metric,
        "sweep.mode": mode,
        "sweep.fresh": fresh or None,
        "output_dir": output_dir,
    }
    given = {_below(found.root, key): chosen[key] for key in chosen if chosen[key] is not None}
    fixed = {**given, **(options or {})}
    arguments = [f"{key}={_in_grammar(key, value)}" for key, value in fixed.items()]
    arguments += [_axis_override(key, values) for key, values in axes.items()]
    try:
        with _saved(found, Path(output_dir or "outputs")) as experiment:
            folder = experiment.run(arguments)
    except UserError as error:
        raise UserError(str(error)) from None  # a notebook prints every frame in between
    from sweeps.analysis.dataframes import load

    return load(folder)


def _below(root: str, key: str) -> str:
    """An option of the framework below a root; a group's files stand below it as folders."""
    return f"{root}{'.' if '.' in key or key == 'output_dir' else '/'}{key}" if root else key


def _axis_override(key: str, values: Any) -> str:
    if isinstance(values, str):
        return f"{key}={values}"
    if hasattr(values, "tolist"):  # an array
        values = values.tolist()
    if isinstance(values, Iterable) and not isinstance(values, bytes | Mapping):
        texts = [_in_grammar(key, one) for one in values]
        if not texts:
            raise UserError(f"the axis {key} has no values; give it some.")
        return f"{key}={','.join(texts)}"
    return f"{key}={_in_grammar(key, values)}"


def _in_grammar(key: str, value: Any) -> str:
    if isinstance(value, Enum):
        return quoted(value.name)
    if isinstance(value, Path):
        return in_grammar(key, str(value))
    if hasattr(value, "item"):  # a number of NumPy
        value = value.item()
    try:
        return in_grammar(key, value)
    except UserError as error:
        raise UserError(
            f"{key} has the value {str(value)[:50]!r}, of the type {type(value).__name__}, which "
            "no option takes; give texts, numbers, booleans, None, or lists and mappings of these."
        ) from error


def _as_experiment(objective: Any) -> Experiment:
    if isinstance(objective, Experiment):
        return objective
    if not callable(objective):
        raise UserError(f"{objective!r} is no function; give the function that trains a trial.")
    return Experiment(objective)


@contextmanager
def _saved(experiment: Experiment, output_dir: Path) -> Iterator[Experiment]:
    """The experiment, as an object that workers can find: in its file, or else in one made here."""
    if experiment._path or _holds(experiment):
        yield experiment
        return
    experiment._digest = _digest_of(experiment.function)
    _save(experiment, output_dir)
    try:
        yield experiment
    finally:
        experiment._path = experiment._digest = ""


def _save(experiment: Experiment, output_dir: Path) -> None:
    """Write the experiment to a file of its own, for the workers.

    Raises:
      UserError: the results are at a URL, or the file cannot be written.
    """
    import cloudpickle

    if "://" in str(output_dir):
        raise UserError(
            f"{experiment._options.name} is in no file, and a sweep at a URL needs one; define it "
            "at the top level of a file, and decorate it with @sweeps.experiment."
        )
    data = cloudpickle.dumps(experiment)
    folder = (output_dir / OBJECTIVES).absolute()
    make_directory(folder)
    file = folder / f"{experiment.__name__}-{hashlib.sha256(data).hexdigest()[:8]}.pkl"
    write_bytes(file, data)
    experiment._path = f"{file}:"


def _save_if_plain(experiment: Experiment, arguments: Sequence[str]) -> None:
    """Make a function that its file does not decorate known to workers."""
    if not experiment._name or experiment._path:
        return
    import cloudpickle

    module = sys.modules.get(experiment.function.__module__)
    if module is not None:  # a worker need not find it by its name
        cloudpickle.register_pickle_by_value(module)
    key = f"{_below(experiment.root, 'output_dir')}="
    given = [one.removeprefix(key) for one in arguments if one.startswith(key)]
    _save(experiment, Path(given[-1] if given else "outputs"))


def _holds(experiment: Experiment) -> bool:
    """Whether the file of the function holds the experiment under the function's name."""
    if not _path_of(experiment.function):
        return False
    found: Any = sys.modules.get(experiment.function.__module__)
    for name in experiment.function.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is experiment


def load_experiment(path: str) -> Experiment:
    """Import an experiment, or a function whose arguments are its options.

    Args:
      path: `file.py:function`, `package.module:function`, or a file that `run` made.

    Raises:
      UserError: there is none.
    """
    from sweeps.config import locate

    file, colon, name = path.rpartition(":")
    if not colon:
        file, name = path, ""
    if not name and not file.endswith(".pkl"):
        raise UserError(f"{path} names no function; write FILE.py:FUNCTION, as in train.py:train.")
    full = f"{Path(file).absolute()}:{name}" if file.endswith((".py", ".pkl")) else f"{file}:{name}"
    try:
        found: Any = locate(full)
    except UserError as error:
        if not isinstance(error.__cause__, AttributeError):
            raise
        known = [key for key, one in vars(error.__cause__.obj).items() if callable(one)]
        raise UserError(f"{file} has no function {name}; {did_you_mean(name, known)}.") from error
    if isinstance(found, Experiment):
        found._path = full
        return found
    experiment = Experiment(found)
    experiment._name = path
    return experiment


def _not_called(config: DictConfig) -> None:
    """Stand for the task function, which the sweeper does not call."""
    raise UserError("this program works with the sweeper ray_tune alone; leave hydra/sweeper out.")


@contextmanager
def _hydra(config_dir: Path | None) -> Iterator[ConfigLoader]:
    """Hydra's loader of a folder of configuration files."""
    with (
        initialize(config_path=None, version_base="1.3")
        if config_dir is None
        else initialize_config_dir(str(config_dir), version_base="1.3")
    ):
        yield GlobalHydra.instance().config_loader()


def _path_of(function: Callable[..., Any]) -> str:
    """Where a worker can import the function, see `sweeps.config.locate`; empty: nowhere."""
    name = getattr(function, "__qualname__", "")
    module = sys.modules.get(getattr(function, "__module__", "") or "")
    if not name or "<" in name or module is None:
        return ""
    spec, file = getattr(module, "__spec__", None), getattr(module, "__file__", None)
    if spec is not None and ("." in spec.name or not file):
        return f"{spec.name}:{name}"
    if file and Path(file).suffix == ".py" and Path(file).exists():
        return f"{Path(file).absolute()}:{name}"
    return ""


def _command_of(path: str, is_main: bool) -> str:
    """The command that trains one trial alone."""
    module, _, _ = path.rpartition(":")
    path = path.removesuffix(":")
    if not is_main:
        path = _near(path)
        return shlex.join(["python", "-m", "sweeps", "run", path])
    if module.endswith(".py"):
        return shlex.join(["python", _near(module)])
    return shlex.join(["python", "-m", module.removesuffix(".__main__")])


def _near(path: str) -> str:
    """A path as short as it can be written in the present folder."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path


def _digest_of(function: Callable[..., Any]) -> str:
    try:
        source = inspect.getsource(function)
    except (OSError, TypeError):
        code = getattr(function, "__code__", None)
        source = "" if code is None else f"{code.co_code!r}{code.co_consts!r}{code.co_names!r}"
    return hashlib.sha256(source.encode()).hexdigest()[:12]
