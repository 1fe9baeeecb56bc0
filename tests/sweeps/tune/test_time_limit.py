"""How a trial learns that it should stop."""

from pathlib import Path

import pytest

from sweeps.store import TrialStatus
from sweeps.store.stop_requests import STOP_ALL, interrupt_file, read_requests, request_stop
from sweeps.tracking import Stop
from sweeps.tune import time_limit
from sweeps.tune.task import WorkerTask
from sweeps.tune.time_limit import STOPPED_ALONE, PolledRequests, StopSignal


def test_signal_tells_the_sweep_the_trial_and_the_clock_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time_limit, "POLL_SECONDS", 0.0)
    task = WorkerTask(
        objective="",
        metric="loss",
        mode="min",
        stop_file=str(tmp_path / ".stop" / STOP_ALL),
        time_limit=60.0,
    )
    one, other = StopSignal(task, "a,id=ab"), StopSignal(task, "b,id=cd")
    assert one(1.0) is None
    request_stop(tmp_path, "a,id=ab")
    assert one(1.0) == Stop(status=TrialStatus.INTERRUPTED, reason=STOPPED_ALONE)
    assert other(1.0) is None
    (tmp_path / ".stop" / "b,id=cd").touch()  # what a scheduler leaves for a lane of a pack
    assert other(1.0) is None
    request_stop(tmp_path)
    for signal in (one, other):
        stop = signal(1.0)
        assert stop == Stop(status=TrialStatus.INTERRUPTED, reason="the sweep was interrupted")
    late = other(60.0)
    assert late is not None
    assert late.stopped_by == "time"


def test_requests_are_looked_for_seldom() -> None:
    looks: list[int] = []

    def look() -> set[str]:
        looks.append(1)
        return {str(len(looks))}

    seldom = PolledRequests(look, 1000.0)
    assert [seldom() for _ in range(5)] == [{"1"}] * 5
    often = PolledRequests(look, 0.0)
    assert [often() for _ in range(2)] == [{"2"}, {"3"}]
    assert seldom(at_once=True) == seldom() == {"4"}


def test_requests_are_names_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_requests(tmp_path) == set()
    request_stop(tmp_path)
    request_stop(tmp_path, "a,id=ab")
    assert read_requests(tmp_path) == {STOP_ALL, interrupt_file("a,id=ab")}

    def away(path: Path) -> list[str]:
        raise TimeoutError(110, "Connection timed out")

    monkeypatch.setattr("os.listdir", away)
    assert read_requests(tmp_path) == set()  # a disk that does not answer asks for nothing
