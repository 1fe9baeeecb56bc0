"""What may go wrong while a trial runs, done to it for real. Killed drivers: test_resume."""

import errno
import os
from pathlib import Path
from typing import Any

import psutil
import pytest

from sweeps.io.atomic import read_json

pytestmark = pytest.mark.fault

UNDISTURBED = [(step, 0.8 ** (2 * step)) for step in range(1, 9)]


def fault(toy: Any, kind: str, *arguments: str) -> dict[str, dict[str, str]]:
    """Run a disturbed trial beside an undisturbed one; gives their rows by fault."""
    command = ["--multirun", "sweep.name=f", "steps=8", f"fault={kind},none", *arguments]
    toy.last = toy(*command)
    assert "Traceback" not in toy.last.stderr
    return {row["fault"]: row for row in toy.rows("f")}


def check_undisturbed(toy: Any, row: dict[str, str]) -> None:
    assert row["status"] == "finished"
    table = toy.table(row["directory"])
    assert table == [(step, pytest.approx(loss, rel=1e-9)) for step, loss in UNDISTURBED]


@pytest.mark.usefixtures("joined")
def test_killed_worker_goes_on_from_its_checkpoint(toy: Any) -> None:
    rows = fault(toy, "kill_once")
    assert toy.last.returncode == 0
    assert "its worker died; it is started again" in toy.last.stdout
    for row in rows.values():
        check_undisturbed(toy, row)


def log(toy: Any, row: dict[str, str]) -> list[str]:
    """A trial's log, without the times at which it went on."""
    lines = (toy.folder / row["directory"] / "log.txt").read_text().splitlines()
    return ["goes on" if line.endswith(": training goes on ---") else line for line in lines]


@pytest.mark.usefixtures("joined")
def test_log_of_a_killed_worker_is_kept_and_its_end_is_shown(toy: Any) -> None:
    rows = fault(toy, "kill,kill_once,raise,talk", "steps=5")
    killed = "killed at step"
    assert log(toy, rows["kill"]) == [f"{killed} 1", "goes on", f"{killed} 1"]
    assert log(toy, rows["kill_once"]) == [f"{killed} 4", "goes on"]
    assert log(toy, rows["raise"]) == ["about to raise"]
    assert log(toy, rows["none"]) == []
    talk = ("print", "logging", "C", "child", "descriptor")
    assert log(toy, rows["talk"]) == [f"{word} {step}" for step in range(1, 6) for word in talk]
    told = toy.last.stdout
    assert f"this trial raises ({rows['raise']['directory']}/error.txt)\n  | about to raise" in told
    assert f"({rows['kill']['directory']}/error.txt)\n  | {killed} 1\n  | --- 20" in told
    assert told.count("  | ") == 4
    again = fault(toy, "raise", "steps=5")
    assert log(toy, again["raise"]) == ["about to raise", "goes on", "about to raise"]


@pytest.mark.usefixtures("joined")
def test_trial_out_of_memory_fails_alone(toy: Any) -> None:
    rows = fault(toy, "memory")
    assert toy.last.returncode == 1
    assert rows["memory"]["status"] == "failed"
    assert "failed: MemoryError" in toy.last.stdout
    check_undisturbed(toy, rows["none"])


@pytest.mark.slow
def test_sweep_goes_on_when_ray_ends_a_worker_to_save_its_machine(
    toy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray's monitor ends the largest worker; Ray Tune by itself would end with it."""
    memory = psutil.virtual_memory()
    if memory.available < 12e9:
        pytest.skip("needs 12 GB of free memory, to run out of 4 of them")
    limit = (memory.total - memory.available + 4e9) / memory.total
    monkeypatch.setenv("RAY_memory_usage_threshold", str(limit))
    monkeypatch.setenv("RAY_memory_monitor_refresh_ms", "100")
    rows = fault(toy, "eat", "sweep.retries=0")
    assert toy.last.returncode == 1
    assert "A machine ran out of memory; the sweep goes on." in toy.last.stdout
    assert "failed: memory ran out 1 times while it ran; run fewer" in toy.last.stdout
    assert rows["eat"]["status"] == "failed"
    check_undisturbed(toy, rows["none"])


@pytest.mark.usefixtures("joined")
def test_full_disk_during_a_checkpoint_leaves_the_earlier_one(toy: Any) -> None:
    rows = fault(toy, "full")
    assert toy.last.returncode == 1
    assert rows["full"]["status"] == "failed"
    assert f"({os.strerror(errno.EFBIG)}); free some space" in toy.last.stdout
    check_undisturbed(toy, rows["none"])
    state = read_json(toy.folder / rows["full"]["directory"] / "checkpoints" / "state.json")
    assert state is not None
    assert state["step"] == 4
    check_goes_on(toy, rows["full"])


def check_goes_on(toy: Any, row: dict[str, str]) -> None:
    """The same command again, without the fault: `full_once` leaves a mark behind."""
    again = fault(toy, "full")
    assert toy.last.returncode == 0, toy.last.stdout
    check_undisturbed(toy, again["full"])


@pytest.mark.usefixtures("joined")
def test_time_limit_ends_a_step_that_hangs_in_compiled_code(toy: Any) -> None:
    # Three steps take less than the limit on a busy machine, too, and eight take more anywhere.
    limit = ["sweep.trial_minutes=0.1", "pause=1.4"]
    rows = fault(toy, "stuck", *limit)
    assert toy.last.returncode == 0
    assert {row["status"] for row in rows.values()} == {"stopped"}
    assert "stopped after sweep.trial_minutes=0.1" in toy.last.stdout
    stuck = toy.folder / rows["stuck"]["directory"] / "stuck.txt"
    assert "toy.py" in stuck.read_text()
    assert [step for step, _ in toy.table(rows["stuck"]["directory"])] == [1, 2]

    again = fault(toy, "stuck", *limit)
    assert "All 2 trials were done before." in toy.last.stdout
    assert again == rows


@pytest.mark.usefixtures("joined")
def test_damaged_event_file_is_made_whole_on_resume(toy: Any) -> None:
    """A crash of the machine may cut what the system had not written yet."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    command = ["--multirun", "sweep.name=e", "rate=0.1,0.2", "steps=8", "fault=raise_once"]
    assert toy(*command).returncode == 1
    folders: list[Path] = [toy.folder / row["directory"] for row in toy.rows("e")]
    for folder in folders:
        (path,) = folder.glob("events.out.tfevents.*")
        os.truncate(path, path.stat().st_size - 400)  # the end of a trial and some reports
    assert toy(*command).returncode == 0
    for folder in folders:
        events = EventAccumulator(str(folder)).Reload()
        assert [event.step for event in events.Scalars("loss")] == list(range(1, 9))
