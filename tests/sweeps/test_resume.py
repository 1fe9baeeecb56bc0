"""A sweep's folder is its state: whatever ended a sweep, the same command goes on with it."""

import signal
import time
from pathlib import Path
from typing import Any

import pytest

from sweeps.io.atomic import read_json

LONG = ["--multirun", "rate=0.01,0.02,0.03", "steps=60", "pause=0.04"]


@pytest.mark.parametrize(
    "number", [pytest.param(signal.SIGKILL, marks=pytest.mark.fault), signal.SIGINT]
)
def test_interrupted_sweep_goes_on_to_the_numbers_of_an_uninterrupted_one(
    toy: Any, number: signal.Signals, request: pytest.FixtureRequest
) -> None:
    if number == signal.SIGINT:  # a killed driver is to take its own Ray session along
        request.getfixturevalue("joined")
    stopped = toy.signal_midway(number, "stop", *LONG)
    if number == signal.SIGKILL:
        assert stopped.returncode == -signal.SIGKILL
    else:
        assert stopped.returncode == 130, stopped.stderr
        assert "Traceback" not in stopped.stderr
        assert "look at it:" in stopped.stdout
        found = {row["status"] for row in toy.rows("stop")}
        assert found - {"waiting"} == {"interrupted"}  # one may not have begun
        check_saved_at_the_signal(toy)

    assert toy(*LONG, "sweep.name=stop").returncode == 0
    assert {row["status"] for row in toy.rows("stop")} == {"finished"}
    for rate, table in toy.tables("stop").items():
        expected = [(step, (1 - 2 * float(rate)) ** (2 * step)) for step in range(1, 61)]
        assert table == [(step, pytest.approx(loss, rel=1e-9)) for step, loss in expected]


def check_saved_at_the_signal(toy: Any) -> None:
    """No step was made in vain: the checkpoint is that of the last report."""
    for path in (toy.outputs / "stop").glob("*/checkpoints/state.json"):
        state = read_json(path)
        assert state is not None
        assert state["step"] == toy.table(path.parents[1])[-1][0]


@pytest.mark.usefixtures("joined")
@pytest.mark.slow
def test_second_driver_of_a_folder_is_refused(toy: Any) -> None:
    first = toy.start(*LONG, "sweep.name=one")
    toy.wait(lambda: any((toy.outputs / "one").glob("*/metrics.csv")))
    second = toy(*LONG, "sweep.name=one")
    assert second.returncode == 1
    assert "another command is running the sweep in outputs/one" in second.stderr
    assert toy.end(first).returncode == 0


@pytest.mark.usefixtures("joined")
@pytest.mark.slow
def test_extended_sweep_runs_only_what_is_new(toy: Any, look: Any) -> None:
    """New values, new axes, other sweep files: a trial is known by what it computes."""
    steps = "steps=5"
    toy("--multirun", "sweep.name=s", "rate=0.1,0.2", steps)
    first = {row["rate"]: stamp(toy, row) for row in toy.rows("s")}

    wider = toy("--multirun", "sweep.name=s", "rate=0.2,0.3", steps)
    assert "2 trials, 1 of them done before" in wider.stdout
    assert [row["rate"] for row in toy.rows("s")] == ["0.3", "0.2", "0.1"]

    deeper = toy("--multirun", "sweep.name=s", "rate=0.1,0.2,0.3", "seed=0,1", steps)
    assert "6 trials, 3 of them done before" in deeper.stdout
    rows = toy.rows("s")
    assert {(row["rate"], row["seed"]) for row in rows} == {
        (rate, seed) for rate in ("0.1", "0.2", "0.3") for seed in "01"
    }
    assert all(f"seed={row['seed']}," in row["trial"] for row in rows)
    assert first == {
        row["rate"]: stamp(toy, row) for row in rows if row["seed"] == "0" and row["rate"] != "0.3"
    }
    board = look(toy.outputs)
    shared = {
        f"s/rate={rate},": {f"s/{row['trial']}" for row in rows if row["rate"] == rate}
        for rate in ("0.1", "0.2", "0.3")
    }
    assert {name: set(row["runs"]) for name, row in board.rows().items()} == shared
    for rate in ("0.1", "0.2", "0.3"):
        assert len(board.scalars(f"s/over_seed/rate={rate},")["over_seed/loss/mean"]) == 5

    other = ("+sweep=grid", "rate=0.1,0.2", "shape=small", steps)
    preview = toy(*other, "sweep.preview=true").stdout
    assert preview.count("copied from s") == 2
    assert "2 trials: 2 copied, 0 to run" in preview
    beside = toy(*other)
    assert beside.stdout.count("copied outputs/s/") == 2
    assert "All 2 trials were done before." in beside.stdout
    assert [row["rate"] for row in toy.rows("grid")] == ["0.2", "0.1"]


def stamp(toy: Any, row: dict[str, str]) -> int:
    """When a trial's reports were written."""
    path: Path = toy.folder / row["directory"] / "metrics.csv"
    return path.stat().st_mtime_ns


@pytest.mark.slow
@pytest.mark.usefixtures("joined")
def test_axis_that_gets_a_word_among_its_numbers_is_shown_as_text_for_all(
    toy: Any, look: Any
) -> None:
    """TensorBoard's columns have one type."""
    command = ["--multirun", "sweep.name=s", "rate=0.1", "steps=5"]
    toy(*command, "+note=1,2")
    assert {row["note"] for row in look(toy.outputs).rows().values()} == {1, 2}
    done = toy(*command, "+note=2,null")
    assert "2 trials, 1 of them done before" in done.stdout
    rows = look(toy.outputs).rows().values()
    assert {row["note as text"] for row in rows} == {"1", "2", "null"}
    toy("--multirun", "sweep.name=t", "rate=0.1", "steps=5", "+note=2,1")  # takes them over
    rows = look(toy.outputs / "t").rows().values()
    assert {row["note"] for row in rows} == {1, 2}


@pytest.mark.usefixtures("joined")
@pytest.mark.slow
def test_other_configuration_never_shares_a_folder(toy: Any) -> None:
    toy("--multirun", "sweep.name=s", "rate=0.1,0.2", "steps=5")
    before = toy.tables("s")
    other = toy("--multirun", "sweep.name=s", "rate=0.1,0.3", "steps=6", "seed=1")
    assert other.returncode == 1
    assert "another configuration: steps=5 (now 6), seed=0 (now 1); give" in other.stderr
    assert toy.tables("s") == before

    wrong = toy("--multirun", "sweep.name=s", "rate=0.1,-1", "steps=6", "sweep.fresh=true")
    assert "rate=-1 is out of range" in wrong.stderr
    assert toy.tables("s") == before  # nothing is moved for a command that cannot run

    fresh = toy("--multirun", "sweep.name=s", "rate=0.1", "seed=0,1", "steps=6", "sweep.fresh=true")
    assert fresh.returncode == 0, fresh.stderr
    (aside,) = toy.outputs.glob("s.old-*")
    assert len(list(aside.glob("*/result.json"))) == 2
    assert [row["seed"] for row in toy.rows("s")] == ["0", "1"]


@pytest.mark.usefixtures("joined")
@pytest.mark.slow
def test_failed_trials_run_again_from_their_checkpoint(toy: Any) -> None:
    command = ["--multirun", "sweep.name=f", "rate=0.1,0.2", "steps=8", "fault=raise_once"]
    assert toy(*command).returncode == 1
    assert {row["status"] for row in toy.rows("f")} == {"failed"}
    began = time.time_ns()
    assert toy(*command).returncode == 0
    assert {row["status"] for row in toy.rows("f")} == {"finished"}
    for row in toy.rows("f"):
        assert [step for step, _ in toy.table(row["directory"])] == list(range(1, 9))
        assert not (toy.folder / row["directory"] / "error.txt").exists()
        assert stamp(toy, row) > began
