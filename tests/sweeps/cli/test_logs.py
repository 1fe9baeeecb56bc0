"""`sweeps logs`: what a trial wrote, as a whole, as it grows, and of those that failed."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from sweeps.cli import logs
from sweeps.io.lock import locked
from sweeps.store import Trial, read_sweep
from sweeps.store.provenance import add_provenance
from sweeps.store.result import correct_result
from sweeps.store.sweep import lock_path


@pytest.fixture
def trial(grid: Path) -> Trial:
    """A trial with a log."""
    found = read_sweep(grid).trials[0]
    (found.directory / "log.txt").write_bytes("one\ntwo\x1b[1m\nthr\u00e9e\n".encode() + b"\xff")
    return found


def printed(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    logs.main([str(argument) for argument in arguments])
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    with pytest.raises(SystemExit) as end:
        logs.main([str(argument) for argument in arguments])
    assert end.value.code == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_log_is_printed_as_it_stands(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, trial.directory) == "one\ntwo\x1b[1m\nthrée\n\ufffd"
    assert printed(capsys, trial.directory, "-n", 2) == "thrée\n\ufffd"


def test_lanes_of_a_pack_share_their_log(
    trial: Trial, grid: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = read_sweep(grid).trials[1].directory
    assert "has no log.txt" in refused(capsys, other)
    add_provenance(other, pack=trial.directory.name)
    assert printed(capsys, other) == printed(capsys, trial.directory)


def test_failed_trials_show_their_last_lines_and_errors(
    grid: Path, make_sweep: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    (failed,) = (one.directory for one in read_sweep(grid).trials if one.status == "failed")
    text = printed(capsys, grid, "--failed")
    assert text.startswith(f"{failed.name}\n({failed} has no log.txt)\n")
    (failed / "log.txt").write_text("".join(f"line {number}\n" for number in range(50)))
    text = printed(capsys, grid, "--failed", "-n", 3)
    error = f"failed: RuntimeError: out of luck ({failed / 'error.txt'})\n"
    assert text == f"{failed.name}\nline 47\nline 48\nline 49\n{error}"
    assert len(printed(capsys, grid, "--failed").splitlines()) == logs.LINES + 2
    good = make_sweep([{"a": 1}], lambda s, step: 1.0, name="good")
    assert "has failed" in printed(capsys, good, "--failed")


def test_log_is_followed_until_the_trial_ends(
    trial: Trial, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logs, "POLL_SECONDS", 0.01)
    path = trial.directory / "log.txt"
    path.write_text("one\ntwo\n")
    correct_result(trial.directory, status="running")
    seen: list[str] = []
    write = logs._write
    monkeypatch.setattr(logs, "_write", lambda text: (seen.append(text), write(text)))

    def wait_for(text: str) -> None:
        deadline = time.monotonic() + 20
        while text not in "".join(seen) and time.monotonic() < deadline:
            time.sleep(0.005)

    def train() -> None:
        with locked(trial.directory / ".lock", ""):
            begun.set()
            wait_for("two")
            with path.open("a") as file:
                file.write("three\n")
            wait_for("three")
            other = path.with_name("new")
            other.write_text("cut\n")
            other.replace(path)
            wait_for("cut")
            with path.open("a") as file:
                file.write("last")
            correct_result(trial.directory, status="finished")

    begun = threading.Event()
    thread = threading.Thread(target=train)
    thread.start()
    begun.wait()
    assert printed(capsys, trial.directory, "-f", "-n", 1) == "two\nthree\ncut\nlast"
    thread.join()
    assert printed(capsys, trial.directory, "-f") == "cut\nlast"  # it has ended


def test_long_log_has_later_parts_until_its_process_ends(
    trial: Trial, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = trial.directory
    path, follower = directory / "log.txt", logs._Follower(directory / "log.txt")
    path.write_text("a1\n")
    assert follower.read() == "a1\n"
    with path.open("a") as file:
        file.write("a2\n")
    (directory / "log.tail-0.txt").write_text("b1\n")
    assert follower.read() == "a2\nb1\n"
    assert printed(capsys, directory) == "a1\na2\nb1\n"
    assert printed(capsys, directory, "-n", 2) == "a2\nb1\n"
    with (directory / "log.tail-0.txt").open("a") as file:
        file.write("b2\n")
    (directory / "log.tail-6.txt").write_text("c1\n")
    assert follower.read() == "b2\nc1\n"
    (directory / "log.tail-0.txt").unlink()
    assert follower.read() == ""
    with (directory / "log.tail-6.txt").open("a") as file:
        file.write("c2\n")
    new = directory / "new"
    new.write_text("a1\n--- 9 bytes are left out here (sweep.log_megabytes) ---\nc1\nc2\n")
    new.replace(path)
    (directory / "log.tail-6.txt").unlink()
    assert follower.read() == "c2\n"
    with path.open("a") as file:
        file.write("d\n")
    assert follower.read() == "d\n"
    new.write_text("other\n")
    new.replace(path)
    assert follower.read() == "other\n"


def test_character_that_comes_in_two_parts_is_one(trial: Trial) -> None:
    path = trial.directory / "log.txt"
    path.write_bytes("né".encode()[:2])
    follower = logs._Follower(path)
    assert follower.read() == "n"
    path.write_bytes("né!".encode())
    assert follower.read() == "é!"


def test_lane_whose_log_is_that_of_its_pack_has_the_later_parts_of_it(
    trial: Trial, grid: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = read_sweep(grid).trials[1].directory
    (trial.directory / "log.txt").write_text("a\n")
    (trial.directory / "log.tail-0.txt").write_text("b\n")
    (other / "log.txt").hardlink_to(trial.directory / "log.txt")
    add_provenance(other, pack=trial.directory.name)
    assert printed(capsys, other) == "a\nb\n"
    (other / "log.txt").unlink()
    (other / "log.txt").write_text("own\n")  # from before it came into the pack
    assert printed(capsys, other) == "own\n"


def test_follower_waits_for_a_trial_that_is_to_start(
    grid: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trial = read_sweep(grid).trials[0].directory
    (trial / "result.json").unlink()
    assert "has no log.txt: the trial has not started" in refused(capsys, trial, "-f")
    looks: list[float] = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        (trial / "log.txt").write_text("begun\n")
        correct_result(trial, status="finished")

    monkeypatch.setattr("time.sleep", sleep)
    with locked(lock_path(grid), ""):
        assert printed(capsys, trial, "-f") == "begun\n"
    assert len(looks) == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["-n", "0"], "-n 0 is out of range"),
        (["--failed", "-f"], "-f follows one trial"),
        ([], "is a sweep; name one of its trials, or give --failed"),
    ],
)
def test_mistake_is_one_sentence(
    grid: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert sentence in refused(capsys, grid, *arguments)
