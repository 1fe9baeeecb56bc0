"""A function as single run, sweep and reproduction, with options from wherever they come."""

import csv
import json
import math
import os
import random
import re
import runpy
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from textwrap import dedent
from typing import Any, Literal

import numpy as np
import pytest
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins

import sweeps
from sweeps.config import locate
from sweeps.errors import UserError
from sweeps.experiments import Experiment, load_experiment
from sweeps.single_run import SingleRun
from sweeps.store import TrialSpec, read_config, read_metrics, read_trial
from sweeps.store.provenance import Provenance, read_provenance

ROOT = Path(__file__).parents[2]
SECONDS = 150


class Colour(Enum):
    """An option with names for values."""

    RED = "r"
    BLUE = "b"


@dataclass
class Options:
    """Options of a program."""

    lr: float = 0.1
    colour: Colour = Colour.RED
    layers: list[int] = field(default_factory=lambda: [1, 2])
    limit: int | None = None


class Program:
    """A file with a function, in a folder of its own, and the commands that one gives for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ray: str | None = None

    def write(self, text: str, name: str = "train.py") -> Path:
        """Write the file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
        return path

    def start(self, *arguments: str, file: str = "train.py", **more: Any) -> subprocess.Popen[str]:
        """Start `python train.py ARGUMENTS`."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "160"}
        environment.pop("RAY_ADDRESS", None)
        return subprocess.Popen(
            [sys.executable, file, *arguments],
            cwd=self.folder,
            env=environment | ({"RAY_ADDRESS": self.ray} if self.ray else {}),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            **more,
        )

    def __call__(self, *arguments: str, file: str = "train.py", status: int = 0) -> str:
        """Run `python train.py ARGUMENTS`; returns what it printed."""
        with self.start(*arguments, file=file) as process:
            try:
                printed, _ = process.communicate(timeout=SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        assert process.returncode == status, printed
        assert "Traceback" not in printed
        return printed

    def rows(self, name: str) -> list[dict[str, str]]:
        """The table of a sweep."""
        with (self.folder / "outputs" / name / "results.csv").open(newline="") as file:
            return list(csv.DictReader(file))


@pytest.fixture(autouse=True)
def own_config_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands in this process register options, of which other tests must not know."""
    Plugins.instance()  # which registers those of Hydra, once
    monkeypatch.setattr(ConfigStore.instance(), "repo", deepcopy(ConfigStore.instance().repo))


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Single runs need no Ray."""
    return Program(tmp_path)


@pytest.fixture
def swept(program: Program, ray_session: str) -> Program:
    """Its sweeps join a Ray session."""
    program.ray = ray_session
    return program


Command = Callable[..., list[Any]]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs the command of a function in this process; gives what the function was called with."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py"])

    def run(objective: Experiment, *arguments: str) -> list[Any]:
        seen: list[Any] = []
        function = objective._options.function

        def recorded(*values: Any, **named: Any) -> Any:
            named.pop("run", None)
            seen.append(values[0] if values else named)
            return function(*values, **named)

        objective._path = f"{tmp_path}/train.py:train"
        monkeypatch.setattr(objective._options, "function", recorded)
        monkeypatch.setattr(objective._options, "_takes_run", False)
        monkeypatch.setattr("sweeps.hydra_sweeper.locate", hooks_of(objective))
        objective.main(arguments)
        return seen

    return run


def hooks_of(objective: Experiment) -> Callable[[str], Any]:
    """Find the hooks of an experiment that no module binds, as those of a test."""
    return lambda path: getattr(objective, path.rpartition(".")[2])


@pytest.fixture
def here(
    program: Program, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Runs `python train.py ARGUMENTS` in this process, a single run or an error."""
    # It closes the handlers of all loggers, and absl's closes the stream that pytest writes to.
    for place in ("hydra.core.utils", "hydra._internal.hydra"):
        monkeypatch.setattr(f"{place}.configure_log", lambda *given: None)
    monkeypatch.setattr(sys, "modules", dict(sys.modules))

    def run(*arguments: str, status: int = 0) -> str:
        with monkeypatch.context() as patch:
            patch.chdir(program.folder)
            patch.syspath_prepend(program.folder)
            patch.setattr(sys, "argv", ["train.py", *arguments])
            ended = 0
            try:
                runpy.run_path("train.py", run_name="__main__")
            except SystemExit as end:
                ended = int(end.code or 0)
        printed = "".join(capsys.readouterr())
        assert ended == status, printed
        return printed

    return run


def single(folder: Path) -> Path:
    """The folder of the only single run."""
    (found,) = (path for path in (folder / "outputs/single").iterdir() if path.is_dir())
    return found


# Options


def by_arguments(
    lr: float = 0.1,
    colour: Colour = Colour.RED,
    layers: list[int] = [1, 2],  # noqa: B006 (a default as users write it)
    limit: int | None = None,
) -> float:
    """Options are arguments."""
    return lr


def by_annotation(config: Options) -> float:
    """Options are those of the annotation."""
    return config.lr


def by_dataclass(anything: Any) -> float:
    """Options are those of the dataclass that the decorator is given."""
    return float(anything.lr)


SOURCES = [
    pytest.param(by_arguments, None, id="arguments"),
    pytest.param(by_annotation, None, id="annotation"),
    pytest.param(by_dataclass, Options, id="dataclass"),
]


def as_dict(options: Any) -> dict[str, Any]:
    """Options however they came."""
    return dict(options) if isinstance(options, dict) else dict(vars(options))


@pytest.mark.parametrize(("function", "source"), SOURCES)
@pytest.mark.parametrize(
    ("overrides", "changed"),
    [
        (["lr=1", "layers=[3]", "limit=null"], {"lr": 1.0, "layers": [3]}),
        (["colour=BLUE", "limit=4"], {"colour": Colour.BLUE, "limit": 4}),
    ],
)
def test_options_arrive_in_their_types_over_their_defaults(
    command: Command, function: Any, source: Any, overrides: list[str], changed: dict[str, Any]
) -> None:
    (given,) = command(Experiment(function, source), *overrides)
    defaults = {"lr": 0.1, "colour": Colour.RED, "layers": [1, 2], "limit": None}
    found = as_dict(given)
    assert found == defaults | changed
    assert type(found["lr"]) is float


@pytest.mark.parametrize(("function", "source"), SOURCES)
@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("lrr=1", "lrr is no option; did you mean lr?"),
        ("lr=fast", "lr=fast does not fit"),
        ("lr=0.1,fast", "lr=fast does not fit"),
        ("colour=GREEN", "expected one of [RED, BLUE]"),
        ("layers=3", "layers=3 does not fit"),
        ("limit=many", "limit=many does not fit"),
        ("lr=null", "lr=null does not fit"),
        ("scheduler=ash", "scheduler=ash is not known; did you mean asha?"),
        ("sweep.metrik=x", "sweep.metrik is no option; did you mean sweep.metric?"),
        ("sweep.mode=best", "sweep.mode=best is not known; choose one of min, max"),
        ("lr 0.1", "lr 0.1 is no override; write key=value"),
        ("+new=1", "new is no option"),
        ("lr=interval(0,1)", "lr has no end of values"),
        ("search=random", "search=random needs a number of trials"),
    ],
)
def test_wrong_option_is_one_sentence_before_anything_runs(
    command: Command,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    function: Any,
    source: Any,
    override: str,
    sentence: str,
) -> None:
    with pytest.raises(SystemExit, match="1"):
        command(Experiment(function, source), override)
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert sentence in said
    assert len(said.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_literal_takes_its_values_only(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    def train(how: Literal["a b", "c,d"] = "a b") -> None:
        pass

    assert command(Experiment(train), "how='c,d'") == [{"how": "c,d"}]
    with pytest.raises(SystemExit):
        command(Experiment(train), "how=e")
    assert "how=e is not known; choose one of a b, c,d." in capsys.readouterr().err


def test_argument_without_annotation_and_default_must_be_given(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    def train(anything, other=2):  # type: ignore[no-untyped-def]
        pass

    assert command(Experiment(train), "anything=[1,{a:b}]") == [
        {"anything": [1, {"a": "b"}], "other": 2}
    ]
    with pytest.raises(SystemExit):
        command(Experiment(train))
    assert "anything" in capsys.readouterr().err


FILE_PROGRAM = """
import sweeps

@sweeps.experiment("conf/config.yaml", metric="loss")
def train(config, run):
    assert run.start == 0
    print(f"{config.lr} {config.model.kind} {config.model.get('width')}")
    return config.lr

if __name__ == "__main__":
    train.main()
"""


@pytest.fixture
def with_files(program: Program) -> Program:
    """A program with a file of options, and a group of files."""
    program.write(FILE_PROGRAM)
    program.write("defaults: [{model: small}]\nlr: 0.5\n", "conf/config.yaml")
    program.write("kind: small\n", "conf/model/small.yaml")
    program.write("kind: big\nwidth: 8\n", "conf/model/big.yaml")
    return program


def test_program_of_a_file_of_options_is_a_command(with_files: Program) -> None:
    assert "0.5 small None" in with_files().splitlines()
    told = "error: model.width is no option; model has kind.\n"
    assert with_files("model.width=9", status=1) == told


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (["lr=2"], "2 small None"),
        (["model=big"], "0.5 big 8"),
        (["model=big", "model.width=9"], "0.5 big 9"),
        (["+model.width=9"], "0.5 small 9"),
    ],
)
def test_file_of_options_and_its_groups(
    with_files: Program, here: Callable[..., str], arguments: list[str], printed: str
) -> None:
    assert printed in here(*arguments).splitlines()
    assert read_config(single(with_files.folder))["output_dir"] == "outputs"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["model=bigg"], "model=bigg is not known; did you mean big?"),
        (["model=big,huge"], "model=huge is not known; choose one of big, small."),
        (["model.width=9"], "model.width is no option; model has kind."),
        (["lr=1,2", "model.kid=x"], "model.kid is no option; did you mean model.kind?"),
    ],
)
def test_wrong_option_of_a_file_is_one_sentence(
    with_files: Program, here: Callable[..., str], arguments: list[str], sentence: str
) -> None:
    assert here(*arguments, status=1) == f"error: {sentence}\n"
    assert not (with_files.folder / "outputs").exists()


def test_missing_file_of_options_is_one_sentence(
    program: Program, here: Callable[..., str]
) -> None:
    program.write(FILE_PROGRAM)
    printed = here(status=1)
    assert "conf/config.yaml does not exist; mend the path of the configuration file." in printed


@pytest.mark.parametrize(
    ("function", "source", "sentence"),
    [
        (lambda *options: None, None, "takes any arguments"),
        (lambda **options: None, None, "takes any arguments"),
        (lambda config: None, None, "takes a configuration, and none is given"),
        (lambda config, run: None, "options.json", "is no YAML file"),
        (lambda config, run: None, 3, "3 is no source of options"),
        (lambda config, run: None, Options(), "is no source of options"),
        (lambda lr, layers: None, Options, "it is called as function(config, run)"),
        (lambda run: None, "config.yaml", "it is called as function(config, run)"),
        (print, None, "takes any arguments"),
        (3, None, "3 is no function"),
    ],
)
def test_function_or_source_that_is_none_is_refused_when_it_is_decorated(
    function: Any, source: Any, sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence.replace("(", r"\(").replace(")", r"\)")):
        sweeps.experiment(source)(function)


def test_root_that_is_no_name_is_refused() -> None:
    with pytest.raises(UserError, match=r"root='my\.options' is no name of an option"):
        sweeps.experiment(root="my.options")(by_arguments)


def test_decorated_function_stays_a_function() -> None:
    @sweeps.experiment
    def plain(lr: float = 0.1) -> float:
        """Return twice the rate."""
        return 2 * lr

    @sweeps.experiment(metric="loss")
    def named(lr: float, layers: int = 2) -> float:
        return lr * layers

    assert plain() == 0.2
    assert plain(1.0) == 2
    assert named(0.5, layers=3) == 1.5
    assert (plain.__name__, plain.__doc__) == ("plain", "Return twice the rate.")


# Single runs


def returning(value: Any, *steps: int) -> Experiment:
    """A function that reports at some steps and returns a value."""

    def train(run: sweeps.Run, lr: float = 0.1) -> Any:
        for step in steps:
            run.report(step, {"value": float(step)}, 10)
        return value

    return Experiment(train, metric="value")


@pytest.fixture
def alone(tmp_path: Path) -> Callable[[Experiment], sweeps.Trial]:
    """Trains a trial of a function as a single run and a worker do; gives the trial."""

    def run(objective: Experiment) -> sweeps.Trial:
        spec = TrialSpec(
            config={"lr": 0.1}, overrides=(), settings={}, fingerprint="f", train_command=""
        )
        single = SingleRun(
            directory=tmp_path / "trial", spec=spec, metric=objective.metric, mode="min"
        )
        single.train(objective.objective, Provenance({}, ""))
        return read_trial(single.directory)

    return run


@pytest.mark.parametrize(
    ("value", "steps", "expected"),
    [
        (0.25, (), (1, {"value": 0.25})),
        (3, (), (1, {"value": 3.0})),
        (np.float32(0.5), (), (1, {"value": 0.5})),
        (np.array([0.5]), (), (1, {"value": 0.5})),
        ({"value": 2, "other": np.array(1.5)}, (), (1, {"value": 2.0, "other": 1.5})),
        (0.25, (1, 7), (7, {"value": 0.25})),
        (7.0, (1, 7), (7, {"value": 7.0})),
        (None, (1, 7), (7, {"value": 7.0})),
        (True, (), (1, {"value": 1.0})),
        (np.array([[0.5]]), (), (1, {"value": 0.5})),
    ],
    ids=repr,
)
def test_returned_value_is_the_metric(
    alone: Callable[[Experiment], sweeps.Trial],
    value: Any,
    steps: Sequence[int],
    expected: tuple[int, dict[str, float]],
) -> None:
    trial = alone(returning(value, *steps))
    assert (trial.status, trial.step) == ("finished", expected[0])
    assert trial.metrics == expected[1]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("good", "'good'"),
        (b"0.5", "b'0.5'"),
        ([0.1, 0.2], r"\[0.1, 0.2\]"),
        (np.arange(3.0), r"array\(\[0., 1., 2.\]\)"),
        ({"value": "good"}, "{'value': 'good'}"),
        ({"value": None}, "{'value': None}"),
        (object, "<class 'object'>"),
        ("x" * 100, "a str"),
    ],
    ids=repr,
)
def test_returned_value_that_is_no_number_is_refused(
    alone: Callable[[Experiment], sweeps.Trial], tmp_path: Path, value: Any, shown: str
) -> None:
    with pytest.raises(UserError, match=shown) as refused:
        alone(returning(value))
    sentence = "which is no number; return the value of sweep.metric=value, metrics by tag, or"
    assert sentence in str(refused.value)
    assert read_trial(tmp_path / "trial").status == "failed"


@pytest.mark.parametrize(("value", "status"), [(0.5, "finished"), ("good", "failed")])
def test_command_takes_the_returned_value(
    command: Command,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    value: Any,
    status: str,
) -> None:
    def train(lr: float = 0.1) -> Any:
        return value

    with nullcontext() if status == "finished" else pytest.raises(SystemExit):
        command(Experiment(train), "lr=1")
    said = capsys.readouterr().err
    assert ("'good', which is no number; return the value of" in said) == (status == "failed")
    trial = read_trial(single(tmp_path))
    assert trial.status == status
    assert trial.metrics == ({"value": 0.5} if status == "finished" else {})


@pytest.mark.parametrize(
    ("reports", "sentence"),
    [
        ([(2, {"loss": 1.0}), (1, {"loss": 1.0})], "got step 1, after step 2; report steps"),
        ([(-1, {"loss": 1.0})], "got step -1; report steps from 0"),
        ([(0.5, {"loss": 1.0})], "got step=0.5, which is no whole number"),
        ([("3", {"loss": 1.0})], "got step='3', which is no whole number"),
        ([({"loss": 1.0}, 3)], "which is no whole number; give the step first"),
        ([(1, {"loss": "low"})], "the metric loss is 'low', which is no number"),
        ([(1, {"loss": None})], "the metric loss is 'None', which is no number"),
        ([(1, {"loss": [1, 2]})], r"the metric loss is '[1, 2]', which is no number"),
        ([(1, 0.5)], "run.report got '0.5' as metrics; give them by tag"),
        ([(1, "loss")], "run.report got 'loss' as metrics; give them by tag"),
    ],
    ids=repr,
)
def test_report_that_cannot_be_recorded_is_refused(
    alone: Callable[[Experiment], sweeps.Trial],
    reports: list[tuple[Any, Any]],
    sentence: str,
) -> None:
    def train(run: sweeps.Run, lr: float = 0.1) -> None:
        for step, metrics in reports:
            run.report(step, metrics)

    with pytest.raises(UserError, match=re.escape(sentence)):
        alone(Experiment(train, metric="loss"))


SLOW_PROGRAM = """
import os
import time

import sweeps

@sweeps.experiment(metric="loss")
def train(run, lr: float = 0.1, momentum: float = 0.0, steps: int = 30, pause: float = 0.0):
    state = run.restore() or {"x": 5.0, "v": 0.0}
    print("starts at", run.start)
    run.add_provenance(pid=os.getpid())
    for step in range(run.start, steps):
        v = momentum * state["v"] - lr * 2 * state["x"]
        state = {"x": state["x"] + v, "v": v}
        run.report(step, {"loss": state["x"] ** 2}, steps)
        run.save(state)
        time.sleep(pause)

if __name__ == "__main__":
    train.main()
"""


def losses(directory: Path) -> list[tuple[int, float]]:
    """Step and loss of each report of a trial."""
    return [(int(row["step"]), row["loss"]) for row in read_metrics(directory / "metrics.csv")]


def wait(until: Callable[[], bool]) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + 60
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def expected(steps: int, lr: float = 0.1, momentum: float = 0.0) -> list[tuple[int, float]]:
    """What an undisturbed trial of the slow program reports."""
    x, v, found = 5.0, 0.0, []
    for step in range(steps):
        v = momentum * v - lr * 2 * x
        x += v
        found.append((step, x**2))
    return found


def test_single_run_is_kept_and_trained_again_only_when_asked(program: Program) -> None:
    program.write(SLOW_PROGRAM)
    first = program("lr=0.2", "steps=3")
    assert "starts at 0" in first
    assert "finished after" in first
    again = program("lr=0.2", "steps=3")
    assert "Trained before; sweep.fresh=true trains it again." in again
    assert "starts at" not in again
    fresh = program("lr=0.2", "steps=3", "sweep.fresh=true")
    assert "The earlier run is now" in fresh
    assert "starts at 0" in fresh
    assert len(list((program.folder / "outputs/single").glob("lr=0.2,steps=3,id=*"))) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_single_run_goes_on_after_a_signal_as_if_nothing_had_been(
    program: Program, number: signal.Signals
) -> None:
    program.write(SLOW_PROGRAM)
    process = program.start("pause=0.05", "sweep.name=N")
    directory = program.folder / "outputs/single/N"
    wait(lambda: len(losses(directory)) > 5)
    process.send_signal(number)
    printed, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == (-number if number == signal.SIGKILL else 128 + number), printed
    assert "Traceback" not in printed
    if number != signal.SIGKILL:
        assert "; the same command goes on from there." in printed
    trial = read_trial(directory)
    assert trial.status == ("running" if number == signal.SIGKILL else "interrupted")
    begins = [line for line in program("sweep.name=N", "pause=0.05").splitlines() if "at" in line]
    assert int(begins[0].split()[-1]) >= 5
    assert read_trial(directory).status == "finished"
    assert losses(directory) == expected(30)


# Sweeps


def test_sweep_is_kept_added_to_and_reproduced(swept: Program) -> None:
    swept.write(SLOW_PROGRAM)
    preview = swept("lr=0.1,0.2", "steps=3", "sweep.preview=true")
    assert "2 trials: 2 to run" in preview
    assert not (swept.folder / "outputs").exists()
    first = swept("lr=0.1,0.2", "steps=3")
    assert [row["status"] for row in swept.rows("lr")] == ["finished"] * 2
    assert "again alone: python train.py steps=3 lr=0.2" in first
    more = swept("lr=0.1,0.2,0.3", "momentum=0,0.5", "steps=3", "sweep.name=lr")
    assert "6 trials, 2 of them done before" in more
    for row in swept.rows("lr"):
        found = losses(swept.folder / row["directory"])
        assert found == expected(3, float(row["lr"]), float(row["momentum"]))
    best = next(line for line in more.splitlines() if line.startswith("verify it:"))
    words = shlex.split(best.partition(":")[2])
    assert words[:3] == ["python", "train.py", "reproduce"]
    assert "identical: 3 steps" in swept(*words[2:])
    facts = read_provenance(swept.folder / words[3]).facts
    assert facts["environment"]["OMP_NUM_THREADS"] == str(facts["cpus"])


@pytest.mark.slow
def test_program_that_calls_main_without_a_guard_is_swept_and_reproduced(swept: Program) -> None:
    """Workers import the file, and must not start the command again."""
    swept.write(SLOW_PROGRAM.replace('if __name__ == "__main__":\n    ', ""))
    printed = swept("lr=0.1,0.2", "steps=2")
    assert [row["status"] for row in swept.rows("lr")] == ["finished"] * 2
    best = next(line for line in printed.splitlines() if line.startswith("verify it:"))
    assert "identical: 2 steps" in swept(*shlex.split(best.partition(":")[2])[2:])


ROOT_PROGRAM = """
from pathlib import Path

import sweeps

@sweeps.experiment("config.yaml", metric="loss", root=ROOT)
def train(config, run):
    factor = {"cosine": 1.0, "linear": 2.0}[config.scheduler.kind]
    run.report(1, {"loss": factor * config.lr}, 1)

if __name__ == "__main__":
    train.main()
"""


def test_options_of_the_same_name_as_ours_are_refused_with_a_way_out(
    program: Program, here: Callable[..., str]
) -> None:
    program.write(ROOT_PROGRAM.replace("ROOT", "''"))
    program.write("lr: 0.1\nscheduler:\n  kind: cosine\n  warmup: 3\n", "config.yaml")
    printed = here("lr=0.2", status=1)
    assert "config.yaml has an option scheduler.warmup of its own" in printed
    assert "put the options of sweeps under a key of their own with @sweeps.experiment(" in printed
    assert not (program.folder / "outputs").exists()


@pytest.mark.parametrize("name", ["sweep", "search", "scheduler", "ray", "output_dir"])
def test_argument_of_the_same_name_as_ours_is_refused(
    name: str, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, Any] = {}
    exec(f"def train(lr: float = 0.1, {name}: str = 'x'): pass", names)
    with pytest.raises(SystemExit):
        command(Experiment(names["train"]), "lr=1")
    assert f"has an option {name} of its own" in capsys.readouterr().err


def test_arguments_of_the_same_names_as_ours_stand_beside_a_root(command: Command) -> None:
    names: dict[str, Any] = {}
    given = dict.fromkeys(("sweep", "search", "scheduler", "ray", "output_dir"), "x")
    more = ", ".join(f"{name}: str = 'x'" for name in given)
    exec(f"def train(lr: float = 0.1, {more}): pass", names)
    assert command(Experiment(names["train"], root="tune"), "lr=1") == [{"lr": 1.0, **given}]


@pytest.mark.slow
def test_options_of_sweeps_stand_below_a_root_in_all_commands(swept: Program) -> None:
    swept.write(ROOT_PROGRAM.replace("ROOT", "'tune'"))
    swept.write("lr: 0.1\nscheduler:\n  kind: cosine\n", "config.yaml")
    printed = swept(
        *("lr=0.1,0.2", "scheduler.kind=cosine,linear", "tune.sweep.name=s", "tune/scheduler=asha")
    )
    assert printed.count(": finished after") == 4
    rows = swept.rows("s")
    assert {row["best/loss"] for row in rows} == {"0.1", "0.2", "0.4"}
    for row in rows:
        directory = swept.folder / row["directory"]
        train = shlex.split(json.loads((directory / "trial.json").read_text())["train_command"])
        assert train[:2] == ["python", "train.py"]
        assert not any("asha" in one for one in train)
    assert "identical: 1 steps" in swept("reproduce", rows[0]["directory"])
    alone = swept(*train[2:])
    assert f"loss {float(row['best/loss']):.5g}" in alone
    assert "tune.swep.name is no option" in swept("lr=1,2", "tune.swep.name=x", status=1)


@pytest.mark.slow
def test_two_programs_do_not_share_a_folder(swept: Program) -> None:
    swept.write(SLOW_PROGRAM)
    swept.write(SLOW_PROGRAM, "second.py")
    swept("lr=0.1,0.2", "steps=1")
    printed = swept("lr=0.1,0.2", "steps=1", file="second.py", status=1)
    assert "hydra.sweeper.objective" in printed
    assert "outputs/lr" in printed


def test_metric_that_is_not_reported_is_said(swept: Program) -> None:
    swept.write(SLOW_PROGRAM)
    printed = swept("lr=0.1,0.2", "steps=1", "sweep.metric=los", status=1)
    assert "did you mean loss" in printed


def test_known_metrics_refuse_another_before_anything_runs(
    program: Program, here: Callable[..., str]
) -> None:
    program.write(SLOW_PROGRAM.replace('metric="loss"', 'metric="loss", metrics=["loss"]'))
    for arguments in (["lr=0.1,0.2"], ["lr=0.1"]):
        printed = here(*arguments, "sweep.metric=los", status=1)
        assert printed.startswith("error: sweep.metric=los is not reported")
        assert "did you mean loss" in printed
    assert not (program.folder / "outputs").exists()


# Python and notebooks


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.1, 1e-5], [0.1, 1e-5]),
        ((1, 2), [1, 2]),
        (range(3), [0, 1, 2]),
        (np.array([0.5, 1.0]), [0.5, 1.0]),
        (np.arange(2), [0, 1]),
        ([np.float32(0.5), np.int64(3)], [0.5, 3]),
        (["a b", "c,d", "e=f", "it's", 'say "x"', "[g]", "", "1", "null", "interval(0,1)"], None),
        ([None, True, False], [None, True, False]),
        ([[1, 2], [3]], [[1, 2], [3]]),
        ([{"a": 1}, {"b": "x y"}], [{"a": 1}, {"b": "x y"}]),
        ([Colour.RED, Colour.BLUE], ["RED", "BLUE"]),
        ([Path("a b"), Path("c")], ["a b", "c"]),
        ({"one": 1}.values(), [1]),
        (Colour, ["RED", "BLUE"]),
        ({0.5}, [0.5]),
        ([math.inf, -math.inf], [math.inf, -math.inf]),
    ],
    ids=repr,
)
def test_axis_of_python_values_is_read_as_these_values(values: Any, expected: Any) -> None:
    from sweeps.experiments import _axis_override

    expected = list(values) if expected is None else expected
    override = OverridesParser.create().parse_override(_axis_override("key", [*values, "end"]))
    assert override.is_sweep_override()
    found = [getattr(one, "text", one) for one in override.value().list]
    plain = [
        {name: getattr(one, "text", one) for name, one in item.items()}
        if isinstance(item, dict)
        else item
        for item in found
    ]
    assert plain == [*expected, "end"]
    alone = OverridesParser.create().parse_override(_axis_override("key", values))
    assert alone.is_sweep_override() == (len(expected) > 1)


@pytest.mark.parametrize("value", [object(), b"x", {1}, [object()], 1j])
def test_value_that_no_option_takes_is_refused(value: Any) -> None:
    with pytest.raises(UserError, match=r"^lr has the value .*, which no option takes; give"):
        sweeps.run(by_arguments, {"lr": [0.1, value]})
    with pytest.raises(UserError, match=r"^x has the value .*, which no option takes; give"):
        sweeps.run(by_arguments, {"lr": [0.1, 0.2]}, options={"x": value})


@pytest.mark.parametrize("values", [[], (), np.array([])], ids=repr)
def test_axis_without_values_is_refused(values: Any) -> None:
    with pytest.raises(UserError, match="the axis lr has no values; give it some"):
        sweeps.run(by_arguments, {"lr": values})


def test_text_of_an_axis_is_in_the_grammar_of_hydra() -> None:
    from sweeps.experiments import _axis_override

    assert _axis_override("lr", "tag(log,interval(1e-4,1))") == "lr=tag(log,interval(1e-4,1))"
    assert _axis_override("lr", 0.1) == "lr=0.1"


@pytest.mark.parametrize("objective", [3, "train.py:train", None])
def test_what_is_no_function_is_refused(objective: Any) -> None:
    with pytest.raises(UserError, match="is no function; give the function that trains a trial"):
        sweeps.run(objective, {"lr": [1, 2]})


NOTEBOOK = """
import sys
import numpy as np
import sweeps
from sweeps import UserError

OFFSET = 1.0

def train(lr: float = 0.1, text: str = "a"):
    return lr + OFFSET + len(text)

texts = ["a b", "c,d,e"]
results = sweeps.run(train, {"lr": np.array([0.5, 1.0]), "text": texts}, name="n", metric="loss")
assert results.trials["text"].nunique() == 2
assert sorted(results.trials["best/loss"]) == [4.5, 5.0, 6.5, 7.0], results.trials
again = sweeps.run(train, {"lr": [0.5, 1.0], "text": texts}, name="n", metric="loss")
assert again.trials.equals(results.trials)

def train(lr: float = 0.1, text: str = "a"):
    return lr

try:
    sweeps.run(train, {"lr": [0.5, 1.0], "text": texts}, name="n", metric="loss")
except UserError as error:
    print("refused:", error)

drawn = sweeps.run(
    sweeps.experiment(train), {"lr": "interval(0, 1)"}, search="random", trials=3, name="drawn",
    options={"search.seed": 1},
)
assert len(drawn.trials) == 3
assert len(set(drawn.trials["lr"])) == 3
print("done")
"""


@pytest.mark.slow
def test_function_of_a_notebook_is_swept_and_an_edited_one_is_refused(swept: Program) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "RAY_ADDRESS": str(swept.ray)}
    done = subprocess.run(
        [sys.executable, "-c", NOTEBOOK],
        cwd=swept.folder,
        env=environment,
        text=True,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (refused,) = (line for line in done.stdout.splitlines() if line.startswith("refused:"))
    assert "outputs/n" in refused
    assert "hydra.sweeper.objective" in refused
    assert done.stdout.endswith("done\n")
    assert "Traceback" not in done.stderr


# Files


MODULE = """
import beside_it

NUMBER = 3

def train(lr: float = 0.1):
    return lr * beside_it.TWO

class Group:
    @staticmethod
    def train(lr: float = 0.2):
        return lr
"""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files with a function each, none of which can be imported by its name alone."""
    for name in ("json.py", "my-train.py", "plainly_named.py"):
        (tmp_path / name).write_text(MODULE)
    (tmp_path / "beside_it.py").write_text("TWO = 2")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["json.py", "my-train.py", "plainly_named.py"])
def test_file_is_imported_whatever_its_name_with_the_modules_beside_it(
    files: Path, name: str
) -> None:
    assert locate(f"{files / name}:train")(2.0) == 4
    assert locate(f"{files / name}:Group.train")(2.0) == 2
    assert locate(f"{files / name}:train") is locate(f"{files / name}:train")
    assert sys.modules["json"] is json
    assert load_experiment(f"{name}:train")(2.0) == 4
    assert isinstance(load_experiment(f"{name}:train"), Experiment)


def test_function_of_a_package_is_located_both_ways() -> None:
    assert locate("os.path:join") is os.path.join
    assert locate("os.path.join") is os.path.join
    assert locate("pathlib:Path.home") == Path.home


def test_object_of_cloudpickle_is_located(tmp_path: Path) -> None:
    import cloudpickle

    path = tmp_path / "function.pkl"
    path.write_bytes(cloudpickle.dumps(Experiment(lambda lr=0.1: 3 * lr)))
    assert locate(f"{path}:objective.__func__") is Experiment.objective
    assert load_experiment(str(path))(2) == 6


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("plainly_named.py", "names no function; write FILE.py:FUNCTION"),
        ("plainly_named.py:", "names no function; write FILE.py:FUNCTION"),
        ("nowhere.py:train", "nowhere.py is no file"),
        ("plainly_named.py:trian", "has no function trian; did you mean train"),
        ("json.py:trian", "has no function trian; did you mean train"),
        ("no_such_module:train", "No module named 'no_such_module'"),
        ("plainly_named.py:NUMBER", "is a int and no function; name a function"),
    ],
)
def test_path_without_a_function_is_one_sentence(files: Path, path: str, sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        load_experiment(path)
    assert sentence in str(caught.value)


def test_error_of_the_file_itself_is_not_taken_for_a_wrong_name(files: Path) -> None:
    (files / "broken_file.py").write_text("import not_there_at_all")
    with pytest.raises(UserError, match="No module named 'not_there_at_all'"):
        load_experiment("broken_file.py:train")
    (files / "wrong_file.py").write_text("1 / 0")
    with pytest.raises(ZeroDivisionError):
        load_experiment("wrong_file.py:train")


# Faults


@pytest.mark.fault
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("victim", ["worker", "driver"])
def test_sweep_that_is_killed_at_any_moment_ends_with_the_table_of_a_quiet_one(
    swept: Program, victim: str, seed: int
) -> None:
    swept.write(SLOW_PROGRAM)
    arguments = ["lr=0.01,0.02", "momentum=0,0.5", "pause=0.1", "sweep.name=s"]
    moment, trials = random.Random(seed).uniform(0.1, 2.0), swept.folder / "outputs/s"
    with swept.start(*arguments, start_new_session=True) as process:
        wait(lambda: any(losses(trial) for trial in trials.glob("*,id=*")))
        time.sleep(moment)
        if victim == "driver":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            wait(lambda: any(workers(trials)))
            os.kill(next(workers(trials)), signal.SIGKILL)
        process.communicate(timeout=SECONDS)
    swept(*arguments)
    rows = swept.rows("s")
    assert [row["status"] for row in rows] == ["finished"] * 4
    for row in rows:
        found = losses(swept.folder / row["directory"])
        assert found == expected(30, float(row["lr"]), float(row["momentum"]))


def workers(trials: Path) -> Iterator[int]:
    """Processes of trials that are being trained, as far as the trials have said them."""
    for trial in trials.glob("*,id=*"):
        pid = read_provenance(trial).facts.get("pid")
        if pid is not None and read_trial(trial).status == "running":
            yield pid


PLAIN = """
import helper


def fit(lr: float = 0.1, *, run):
    for step in range(4):
        run.report(step, {"value": helper.shrink(lr) ** step}, 4)
"""


@pytest.mark.slow
def test_plain_function_of_a_file_is_swept_and_reproduced_by_the_same_words(swept: Program) -> None:
    swept.write(PLAIN, "plain.py")
    swept.write("def shrink(lr):\n    return 1 - lr\n", "helper.py")
    swept.write("from sweeps.cli.main import main\n\nmain()\n", "command.py")
    words = "run", "plain.py:fit"
    printed = swept(*words, "lr=0.1,0.2", file="command.py")
    assert "again alone: python -m sweeps run plain.py:fit lr=0.2" in printed
    trial = swept.folder / swept.rows("lr")[0]["directory"]
    assert "identical: 4 steps, 4 values" in swept(
        *words, "reproduce", str(trial), file="command.py"
    )
    assert "All 2 trials were done before." in swept(*words, "lr=0.1,0.2", file="command.py")


def test_plain_function_of_a_file_trains_once(program: Program) -> None:
    program.write(PLAIN, "plain.py")
    program.write("def shrink(lr):\n    return 1 - lr\n", "helper.py")
    program.write("from sweeps.cli.main import main\n\nmain()\n", "command.py")
    assert "value 0.125 at step 3" in program("run", "plain.py:fit", "lr=0.5", file="command.py")
    wrong = program("run", "plain.py:fitt", "lr=0.5", file="command.py", status=1)
    assert wrong == "error: plain.py has no function fitt; did you mean fit.\n"
