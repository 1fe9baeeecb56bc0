"""A whole sweep of a program that is no language model, through Hydra and Ray."""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from sweeps.io.atomic import read_json
from sweeps.store.metrics import read_metrics

HOOK = "hydra.sweeper.metrics=toy.reports"
OPTUNA = "search=optuna", "search.trials=2"
CMAES = *OPTUNA, "search.sampler=cmaes"
PREVIEW = "sweep.preview=true"
LONGEST_FIRST = [(steps, rate) for steps in ("9", "5", "2") for rate in ("0.1", "0.2")]
AS_GIVEN = [(steps, rate) for rate in ("0.1", "0.2") for steps in ("2", "9", "5")]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--multirun", "rate=0.1"], "there is nothing to sweep over"),
        (["--multirun", "rate=interval(0,1)"], "has no end of values"),
        (["+sweep=grid", "search=random"], "search=random needs a number of trials"),
        (["+sweep=grid", "search=random", "search.trials=0"], "it must be at least 1"),
        (["+sweep=grid", "scheduler=asha", "scheduler.factor=1"], "it must be above 1"),
        (["--multirun", "seed=0,1", "scheduler=pbt"], "sweep over one of: rate"),
        (["--multirun", "rate=0.1,fast", "scheduler=pbt"], "rate=fast is none"),
        (["+sweep=grid", "sweep.zip=[[rate,size]]"], "sweep.zip names size"),
        (["+sweep=grid", "rate=0.1,-1"], "rate=-1 is out of range"),
        (["+sweep=grid", "rat=0.1"], "Could not override 'rat'"),
        (["+sweep=grid", "shape=tiny"], "Could not find 'shape/tiny'"),
        (["+sweep=grid", "output_dir=/proc/x"], "cannot write /proc/x ("),
        (["+sweep=grid", "sweep.mode=best"], "sweep.mode=best is not known"),
        (["+sweep=grid", "sweep.name=a/b"], "sweep.name=a/b cannot name a folder"),
        (["+sweep=grid", "output_dir='s3://K:S@bucket'"], "s3://***@bucket holds a password or"),
        (["+sweep=grid", "sweep.metric=lss", HOOK], "sweep.metric=lss is not reported by these "),
        (["+sweep=grid", "sweep.progress=[x]", HOOK], "did you mean train/x."),
        (["+sweep=grid", "scheduler=asha", "scheduler.time=los", HOOK], "did you mean loss."),
        (["+sweep=grid", "search=optuna", "search.trials=2", "sweep.metric=l", HOOK], "there are"),
        (
            ["+sweep=grid", "sweep.objectives=['train/y:max']", HOOK],
            "sweep.objectives=train/y is not",
        ),
        (["--multirun", "seed=0,1", "search.sampler=gp"], "has no meaning for search=grid"),
        (["--multirun", "shape=small,large", "rate=0.1,0.2", *CMAES], "and shape is none"),
        (["--multirun", "seed=0,1", *OPTUNA, "search.warm_start=[no]"], "no does not exist"),
        (["--multirun", "seed=0,1", *OPTUNA, "search.first=['seed=7']"], "which the axis does not"),
        (
            ["--multirun", "seed=0,1", "search.kind=no.Such", "search.trials=1"],
            "cannot be imported",
        ),
        (["--multirun", "seed=0,1", "scheduler.kind=toy.Such"], "kind=toy.Such cannot be imported"),
        (["--multirun", "seed=0,1", "scheduler=custom"], "scheduler=custom needs a dotted path"),
        (
            ["--multirun", "seed=0,1", "scheduler.kind=toy.identify"],
            "cannot be made with scheduler.a",
        ),
        (["--multirun", "seed=0,1", "ray.callbacks=[toy.Such]"], "callbacks=toy.Such cannot be"),
        (["+sweep=grid", "hydra.sweeper.objective=toy.desend"], "did you mean descend."),
        (["+sweep=grid", "hydra.sweeper.objective=toy.identify"], "called with 2 arguments, and"),
        (["+sweep=grid", "hydra.sweeper.pack_limits=toy.pack_key", PREVIEW], "with 3 arguments"),
        (["+sweep=grid", "hydra.sweeper.environment=t.oy", PREVIEW], "there is no module t)"),
        (["+sweep=grid", "sweep.name=a,b"], "sweep.name has several values, and trials cannot"),
        (["--multirun", "+sweep=grid,grid"], "a command trains one sweep file"),
        (["--multirun", "seed=0,1", "output_dir='caf\udce9'"], "is not UTF-8"),
        (["--multirun", "seed=0,1", "sweep.metric=${nothing}"], "key 'nothing' not found"),
        (["--multirun", "seed=0,1", "rate=${nothing}"], "key 'nothing' not found"),
    ],
)
def test_bad_input_stops_before_anything_runs(
    toy_here: Any, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    check_refused(toy_here(*arguments), tmp_path, sentence)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["+sweep=grid", "ray.address=localhost:1"], "no Ray cluster answers at ray.address"),
        (["+sweep=grid", "rate=0.1,-1"], "rate=-1 is out of range"),
        (["+sweep=grid", "rat=0.1"], "Could not override 'rat'"),
    ],
)
def test_process_of_a_refused_command_ends_with_the_sentence(
    toy: Any, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    check_refused(toy(*arguments), tmp_path, sentence)


def check_refused(done: Any, folder: Path, sentence: str) -> None:
    """One error, and nothing was trained."""
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(folder.rglob("result.json"))


@pytest.mark.slow
def test_sweep_survives_its_trials_and_continues_where_it_stopped(
    toy: Any, tmp_path: Path, look: Any
) -> None:
    command = ["+sweep=grid", "shape=small", "rate=0.1,2", "steps=20", "pause=0.05"]
    done = toy(*command, "fault=none,raise,kill_once,kill")
    found = {(row["rate"], row["fault"]): row for row in toy.rows("grid")}
    assert done.returncode == 1, done.stderr
    assert {key: row["status"] for key, row in found.items()} == {
        ("0.1", "none"): "finished",
        ("0.1", "kill_once"): "finished",
        ("2", "none"): "diverged",
        ("2", "kill_once"): "diverged",
        ("0.1", "raise"): "failed",
        ("2", "raise"): "failed",
        ("0.1", "kill"): "failed",
        ("2", "kill"): "failed",
    }
    check_killed_trial_went_on(tmp_path, found["0.1", "none"], found["0.1", "kill_once"])
    check_terminal(done.stdout, found)
    rows = {
        (str(row["rate"]), row["fault"]): row["runs"] for row in look(toy.outputs).rows().values()
    }
    assert {
        (rate.removesuffix(".0"), fault): [*runs.values()] for (rate, fault), runs in rows.items()
    } == {
        key: ["success" if row["status"] == "finished" else "failure"] for key, row in found.items()
    }

    again = toy(*command, "fault=none,kill_once")
    assert again.returncode == 0
    assert "[1/" not in again.stdout  # nothing was left to run
    assert "All 4 trials were done before." in again.stdout
    assert len(toy.rows("grid")) == 8  # a folder's table has all that is in it

    crowded = toy(*command, "fault=none", "rate=0.3,0.4", "sweep.cpus_per_trial=999")
    assert crowded.returncode == 1
    assert "a trial asks for 999 CPUs" in crowded.stderr


def check_killed_trial_went_on(root: Path, whole: dict[str, str], killed: dict[str, str]) -> None:
    """The killed trial's numbers are an undisturbed one's, and it has no gap and no overlap."""
    tables = [read_metrics(root / row["directory"] / "metrics.csv") for row in (whole, killed)]
    undisturbed, resumed = ([(row["step"], row["loss"]) for row in table] for table in tables)
    assert resumed == undisturbed
    facts = read_json(root / whole["directory"] / "provenance.json") or {}
    assert (facts["device"], facts["share"]) == ("toy", "1:0")
    assert facts["environment"] == {"TOY_SHARE": "1:0"}
    assert (facts["cpus"], facts["gpus"]) == (1, 0)


def check_terminal(text: str, found: dict[tuple[str, str], dict[str, str]]) -> None:
    """The table ends with what to do next."""
    raised = re.search(r"^failed: ValueError: this trial raises \((\S+), and 1 more\)$", text, re.M)
    assert raised
    folders = [row["directory"] for (_, fault), row in found.items() if fault == "raise"]
    assert raised[1] in [f"outputs/grid/{Path(folder).name}/error.txt" for folder in folders]
    assert "failed: its worker process died 2 times" in text
    assert "again alone: python -m toy shape=small +sweep=grid steps=20 pause=0.05 rate=0.1" in text
    assert "look at it:  tensorboard --logdir outputs/grid" in text
    assert "(raylet)" not in text


@pytest.mark.usefixtures("joined")
@pytest.mark.slow
def test_preview_tells_what_would_run_and_writes_nothing(toy: Any, tmp_path: Path) -> None:
    command = ["+sweep=grid", "steps=5", "rate=0.1,0.2,0.3"]
    assert toy(*command, "rate=0.1,0.2", "shape=small").returncode == 0
    toy.ray = None
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    more = ["sweep.exclude=['rate=0.3,shape=large']", "sweep.preview=true"]
    done = toy(*command, *more)
    assert done.returncode == 0, done.stderr
    rows = [text.split() for text in done.stdout.splitlines()]
    assert ["1", "0.1", "small", "done"] in rows
    assert ["2", "0.1", "large", "to", "run"] in rows
    assert "5 trials: 2 done before, 3 to run" in done.stdout
    assert "sweep.exclude: 1 left out by rate=0.3,shape=large" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


@pytest.mark.usefixtures("joined")
@pytest.mark.slow
def test_workers_are_reused_and_each_trial_gets_its_own_settings(toy: Any, tmp_path: Path) -> None:
    done = toy("+sweep=grid", "rate=0.1,0.2,0.3,0.4", "steps=3", "sweep.retries=0")
    assert done.returncode == 0, done.stderr
    table = toy.rows("grid")
    assert len(table) == 8
    for row in table:
        expected = (1 - 2 * float(row["rate"])) ** 6
        assert float(row["loss"]) == pytest.approx(expected, rel=1e-9)
    facts = [read_json(tmp_path / row["directory"] / "provenance.json") or {} for row in table]
    assert len({fact["pid"] for fact in facts}) < len(table)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], LONGEST_FIRST),
        (["sweep.longest_first=false"], AS_GIVEN),
        (["scheduler=asha"], AS_GIVEN),  # compares trials while others run
    ],
)
def test_preview_has_trials_in_the_order_in_which_they_start(
    toy_here: Any, arguments: list[str], expected: list[tuple[str, str]]
) -> None:
    axes = ["--multirun", "rate=0.1,0.2", "steps=2,9,5"]
    done = toy_here(*axes, "sweep.preview=true", *arguments)
    assert done.returncode == 0, done.stderr
    _, *rows = done.stdout.partition("\n\n")[0].splitlines()
    shown = [tuple(row.split()[2:0:-1]) for row in rows]
    assert shown == expected


@pytest.mark.usefixtures("joined")
def test_the_longest_trials_start_first(toy: Any) -> None:
    one_by_one = f"sweep.cpus_per_trial={os.cpu_count()}"
    done = toy("--multirun", "steps=2,9,5", one_by_one)
    assert done.returncode == 0, done.stderr
    ended = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("[")]
    assert ended == ["steps=9:", "steps=5:", "steps=2:"]


def test_settings_that_compute_the_same_are_told(toy_here: Any) -> None:
    done = toy_here("--multirun", "rate=0.1,0.2", "pause=0,1,2", "sweep.preview=true")
    assert done.returncode == 0, done.stderr
    told = "6 settings are 2 trials: those that differ only in pause compute the same, and the"
    assert told in done.stdout
