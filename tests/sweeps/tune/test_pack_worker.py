"""A worker trains a pack; no Ray is needed to see how."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sweeps.config import (
    AshaConfig,
    MedianConfig,
    SchedulerConfig,
    SweepConfig,
)
from sweeps.store.fingerprint import fingerprint
from sweeps.store.metrics import read_metrics
from sweeps.store.provenance import Provenance
from sweeps.store.stop_requests import interrupt_file, request_stop
from sweeps.store.trial import TrialSpec, read_trial, write_trial
from sweeps.tracking import Run
from sweeps.tune.pack_worker import Lane, train_pack
from sweeps.tune.schedulers import build_scheduler, pack_scheduler
from sweeps.tune.task import WorkerTask
from sweeps.tune.time_limit import STOPPED_ALONE

CONFIG = {"rate": 0.1, "steps": 6, "pause": 0.0, "fault": "none"}


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a trial's folder, which a first worker left after so many steps."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "helpers")
    monkeypatch.chdir(tmp_path)
    import toy

    def trial(name: str, left: int = 0, **changes: Any) -> Path:
        directory = tmp_path / f"grid/{name}"
        config = {**CONFIG, **changes}
        spec = TrialSpec(
            config=config,
            overrides=(),
            settings={},
            fingerprint=fingerprint({"name": name}),
            train_command="toy",
        )
        write_trial(directory, spec, Provenance({}, ""))
        if left:
            with Run(directory, metric="loss", mode="min") as run:
                toy.descend_together([{**config, "steps": left}], [run])
            result = (directory / "result.json").read_text()
            if left < config["steps"]:
                (directory / "result.json").write_text(result.replace("finished", "running"))
        return directory

    return trial


def make_task(pack: str = "toy.descend_together", **more: Any) -> WorkerTask:
    return WorkerTask(objective="", metric="loss", mode="min", pack=pack, **more)


def train(*directories: Path, **more: Any) -> list[dict[str, Any]]:
    """Give the messages to the driver."""
    messages: list[dict[str, Any]] = []
    task = make_task(**more)
    train_pack([Lane(path, lambda wait: None) for path in directories], task, messages.append)
    return messages


class TuneTrial:
    """As much of one as schedulers look at."""

    def __init__(self, trial_id: str, lanes: list[str]) -> None:
        self.trial_id, self.config = trial_id, {"lanes": lanes}


def steps(directory: Path) -> list[float]:
    return [row["step"] for row in read_metrics(directory / "metrics.csv")]


def test_each_trial_goes_on_from_its_own_checkpoint_and_those_done_are_left_out(make: Any) -> None:
    done, half, new = make("done", 6), make("half", 4), make("new")
    before = (done / "result.json").stat().st_mtime_ns
    messages = train(done, half, new)
    assert (done / "result.json").stat().st_mtime_ns == before
    for directory in (half, new):
        assert read_trial(directory).status == "finished"
        assert steps(directory) == [1, 2, 3, 4, 5, 6]
    told = Counter(name for message in messages for name, _ in message["lanes"])
    assert told == {"half": 2, "new": 6}


def test_reports_of_a_round_travel_together_and_ends_are_told_at_once(make: Any) -> None:
    messages = train(make("a"), make("b", rate=2.0, steps=9), make("c", steps=3))
    names = [sorted(name for name, _ in message["lanes"]) for message in messages]
    assert names[:3] == [["a", "b", "c"]] * 3
    assert sorted({name for message in messages for name in message["ended"]}) == ["a", "b", "c"]
    (last,) = (at for at, message in enumerate(messages) if "c" in message["ended"])
    assert last <= 3
    assert len(messages) <= 10


def test_trials_that_fail_together_are_tried_apart_until_one_is_alone(make: Any) -> None:
    lanes = [make(str(at), fault="raise" if at == 2 else "none") for at in range(5)]
    messages = train(*lanes)
    found = [read_trial(directory).status for directory in lanes]
    assert found == ["finished", "finished", "failed", "finished", "finished"]
    assert all(steps(lane) == list(range(1, 7)) for lane in lanes if lane.name != "2")
    told = [name for message in messages for name in message["ended"]]
    assert sorted(told) == ["0", "1", "2", "3", "4"]  # each once


def test_trials_of_a_pack_have_one_log_and_halves_of_it_their_own(make: Any) -> None:
    lanes = [make("a", fault="talk"), make("b"), make("c", fault="raise")]
    train(*lanes)
    a, b, c = ((lane / "log.txt").read_text().splitlines() for lane in lanes)
    together = a[: a.index("about to raise") + 1]
    assert together[:4] == ["print 1", "C 1", "child 1", "descriptor 1"]
    for log in (a, b, c):
        assert log[: len(together)] == together
        assert log[len(together)].endswith("training goes on ---")
    assert a[-1] == "descriptor 6"  # [a] and [b, c] were trained again, then [b] and [c]
    assert b.count("about to raise") == 2
    assert c.count("about to raise") == 3


@pytest.mark.parametrize("pack", ["toy.missing", "toy.descend"])
def test_function_that_cannot_be_called_fails_every_trial(make: Any, pack: str) -> None:
    lanes = [make("a"), make("b")]
    task = make_task(pack=pack)
    train_pack([Lane(path, lambda wait: None) for path in lanes], task, lambda message: None)
    assert [read_trial(lane).status for lane in lanes] == ["failed", "failed"]


def test_trial_is_stopped_by_a_file_of_its_name(make: Any, tmp_path: Path) -> None:
    folder = tmp_path / "grid" / ".stop"
    folder.mkdir(parents=True)
    lanes = [make("a"), make("b"), make("c")]
    (folder / "c").touch()  # it was stopped before the worker died
    task = make_task(scheduler="asha", stop_file=str(folder / "now"))

    def driver_side(message: dict[str, Any]) -> None:
        if any(report["step"] == 2 for _, report in message["lanes"]):
            (folder / "b").touch()

    train_pack([Lane(path, lambda wait: None) for path in lanes], task, driver_side)
    assert [read_trial(lane).status for lane in lanes] == ["finished", "stopped", "waiting"]
    assert read_trial(lanes[1]).step == 2


@pytest.mark.parametrize("scheduler", ["none", "asha"])
def test_lane_that_is_asked_to_stop_is_interrupted_and_the_others_go_on(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheduler: str
) -> None:
    monkeypatch.setattr("sweeps.tune.time_limit.POLL_SECONDS", 0.0)
    folder = tmp_path / "grid"
    lanes = [make("a"), make("b")]
    task = make_task(scheduler=scheduler, stop_file=str(folder / ".stop" / "now"))

    def driver_side(message: dict[str, Any]) -> None:
        if any(report["step"] == 2 for _, report in message["lanes"]):
            request_stop(folder, "b")

    train_pack([Lane(path, lambda wait: None) for path in lanes], task, driver_side)
    one, other = (read_trial(lane) for lane in lanes)
    assert one.status == "finished"
    assert (other.status, other.error) == ("interrupted", STOPPED_ALONE)
    assert other.step < 6
    assert not other.is_over(scheduler, None)
    (folder / ".stop" / interrupt_file("b")).unlink()
    train(*lanes)
    assert read_trial(lanes[1]).status == "finished"
    assert steps(lanes[1]) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    "options",
    [
        AshaConfig(kind="asha", time="step", grace=1, factor=2),
        MedianConfig(kind="median", time="step", grace=1, samples=2),
    ],
    ids=lambda options: options.kind,
)
def test_rule_judges_every_trial_of_a_pack_and_those_beside_it(
    options: SchedulerConfig,
) -> None:
    handle = build_scheduler(options, SweepConfig(metric="loss", mode="min"), {})
    stopped: list[str] = []
    scheduler = pack_scheduler(handle, stopped.append)
    pack = TuneTrial("1", ["x/good", "x/fair", "x/bad"])
    alone = TuneTrial("2", [])
    for trial in (pack, alone):
        scheduler.on_trial_add(None, trial)
    for time in (1, 2, 3):
        scores = {"good": 1.0, "fair": 1.1, "bad": 9.0}
        lanes = [(name, {"score": score, "time": time}) for name, score in scores.items()]
        assert scheduler.on_trial_result(None, pack, {"lanes": lanes}) == "CONTINUE"
    assert "bad" in stopped
    assert "good" not in stopped
    assert stopped == list(handle.stopped)
    result = {"score": 99.0, "time": 2}
    assert scheduler.on_trial_result(None, alone, result) == "STOP"
