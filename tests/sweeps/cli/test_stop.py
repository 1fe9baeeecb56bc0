"""`sweeps stop`: another command's sweep, or one of its trials, saves and ends."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from sweeps.cli.stop import main
from sweeps.io.lock import locked
from sweeps.store import read_sweep, read_trial
from sweeps.store.result import correct_result
from sweeps.store.stop_requests import interrupt_file
from sweeps.store.sweep import lock_path
from sweeps.tune.time_limit import STOPPED_ALONE

LONG = ["--multirun", "rate=0.01,0.02,0.03", "steps=60", "pause=0.04"]


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    assert end.value.code == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_what_does_not_run_is_told_in_one_sentence(
    grid: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"no command runs the sweep in {grid}" in refused(capsys, grid)
    name = read_sweep(grid).trials[0].directory.name
    assert f"no command runs the sweep in {grid}" in refused(capsys, grid, name)
    with locked(lock_path(grid), ""):
        assert "its status is finished; only a trial" in refused(capsys, grid, name)
        assert "has no trial nothing" in refused(capsys, grid, "nothing")
    assert "does not exist" in refused(capsys, grid.parent / "nothing")
    assert not (grid / ".stop").exists()


def test_request_is_left_until_the_driver_has_seen_it(
    grid: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A driver that has only begun removes what an earlier one left."""
    request = grid / ".stop" / "now"
    seen: list[bool] = []

    def drive() -> None:
        with locked(lock_path(grid), ""):
            begun.set()
            for _ in range(2):
                deadline = time.monotonic() + 20
                while not request.exists() and time.monotonic() < deadline:
                    time.sleep(0.005)
                seen.append(request.exists())
                request.unlink()

    begun = threading.Event()
    thread = threading.Thread(target=drive)
    thread.start()
    begun.wait()
    main([str(grid)])
    thread.join()
    assert seen == [True, True]
    assert not request.exists()
    out = capsys.readouterr().out
    assert out.endswith(
        "stopped: 10 finished, 1 diverged, 1 failed; the command that ran the sweep goes on with "
        "what is left\n"
    )


def test_trial_that_has_ended_is_told(grid: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trial = read_sweep(grid).trials[0].directory
    correct_result(trial, status="running")
    request = grid / ".stop" / interrupt_file(trial.name)

    def train() -> None:
        with locked(lock_path(grid), ""):
            with locked(trial / ".lock", ""):
                begun.set()
                deadline = time.monotonic() + 20
                while not request.exists() and time.monotonic() < deadline:
                    time.sleep(0.005)
                correct_result(trial, status="interrupted", error=STOPPED_ALONE)
            told.wait(20)

    begun, told = threading.Event(), threading.Event()
    thread = threading.Thread(target=train)
    thread.start()
    begun.wait()
    main([str(grid), trial.name.rpartition("id=")[2]])
    told.set()
    thread.join()
    out = capsys.readouterr().out
    assert "interrupted after 0 s" in out
    assert STOPPED_ALONE in out
    assert "goes on with this trial" in out


@pytest.mark.usefixtures("joined")
@pytest.mark.slow
def test_trial_and_sweep_are_stopped_and_go_on(
    toy: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    process = toy.start(*LONG, "sweep.name=one")
    folder = toy.outputs / "one"
    toy.wait(lambda: any(len(toy.table(t)) > 5 for t in folder.glob("*,id=*")))
    first = next(one for one in read_sweep(folder).trials if len(toy.table(one.directory)) > 5)
    main([str(folder), first.directory.name])
    stopped = read_trial(first.directory)
    assert (stopped.status, stopped.error) == ("interrupted", STOPPED_ALONE)
    assert process.poll() is None
    main([str(folder)])
    ended = toy.end(process)
    assert ended.returncode == 130, ended.stderr
    assert "look at it:" in ended.stdout
    assert "go on:" in ended.stdout
    assert {row["status"] for row in toy.rows("one")} - {"waiting"} == {"interrupted"}
    assert not (folder / ".stop").exists()
    assert "stopped: " in capsys.readouterr().out
    assert toy(*LONG, "sweep.name=one").returncode == 0
    for rate, table in toy.tables("one").items():
        expected = [(step, (1 - 2 * float(rate)) ** (2 * step)) for step in range(1, 61)]
        assert table == [(step, pytest.approx(loss, rel=1e-9)) for step, loss in expected]


@pytest.mark.slow
@pytest.mark.usefixtures("joined")
def test_sweep_whose_trial_was_stopped_says_how_to_go_on(toy: Any) -> None:
    arguments = ["--multirun", "rate=0.01,0.02", "steps=40", "pause=0.04", "sweep.name=one"]
    process = toy.start(*arguments)
    folder = toy.outputs / "one"
    toy.wait(lambda: any(len(toy.table(t)) > 5 for t in folder.glob("*,id=*")))
    first = next(one for one in read_sweep(folder).trials if len(toy.table(one.directory)) > 5)
    main([str(folder), str(first.directory)])
    ended = toy.end(process)
    assert ended.returncode == 0, ended.stderr
    assert f"go on:       python -m toy {' '.join(arguments)}\n" in ended.stdout
    assert "trains what is left: 1 interrupted\n" in ended.stdout
    assert sorted(row["status"] for row in toy.rows("one")) == ["finished", "interrupted"]


@pytest.mark.slow
def test_sweep_with_a_ray_session_of_its_own_is_stopped(toy: Any) -> None:
    """Its workers look in a folder that nobody else knows."""
    process = toy.start(*LONG, "sweep.name=own")
    folder = toy.outputs / "own"
    toy.wait(lambda: any(len(toy.table(t)) > 5 for t in folder.glob("*,id=*")))
    first = next(one for one in read_sweep(folder).trials if len(toy.table(one.directory)) > 5)
    main([str(folder), first.directory.name])
    assert read_trial(first.directory).status == "interrupted"
    main([str(folder)])
    assert toy.end(process).returncode == 130
    assert {row["status"] for row in toy.rows("own")} - {"waiting"} == {"interrupted"}
