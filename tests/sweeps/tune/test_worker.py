"""A worker's reports to the driver."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from sweeps.errors import UserError
from sweeps.store import TrialStatus, read_trial
from sweeps.store.trial import update_trial
from sweeps.tracking import Run, run
from sweeps.tune import worker
from sweeps.tune.task import WorkerTask
from sweeps.tune.tuner import report_seconds
from sweeps.tune.worker import ThrottledReporter, train_trial


def test_score_that_is_no_number_never_reaches_a_scheduler() -> None:
    sent: list[float | None] = []
    task = WorkerTask(objective="", metric="loss", mode="min")
    reporter = ThrottledReporter(task, lambda report: sent.append(report.score))
    for step, loss in enumerate([1.0, float("nan"), float("inf"), 2.0]):
        reporter(step, {"loss": loss}, 4)
    assert [score for score in sent if score is not None] == [1.0, 2.0]


def test_reports_without_a_score_are_rarer_where_many_trials_send_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert [report_seconds(slots) for slots in (1, 50, 500)] == [1, 1, 10]
    now, sent = 0.0, list[int]()
    monkeypatch.setattr(worker.time, "monotonic", lambda: now)
    task = WorkerTask(objective="", metric="loss", mode="min", report_seconds=10)
    reporter = ThrottledReporter(task, lambda report: sent.append(report.step))
    for step in range(25):
        now = float(step)
        reporter(step, {"loss": 1.0} if step == 13 else {"other": 1.0}, 25)
    assert sent == [0, 10, 13, 23]


@pytest.mark.parametrize("is_full", [False, True])
def test_failure_that_the_folder_cannot_tell_is_sent_to_the_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_full: bool
) -> None:
    """A full disk takes the status no more than the data."""
    update_trial(tmp_path, fingerprint="f")
    (tmp_path / "config.yaml").write_text("rate: 1\n")
    full = UserError(f"cannot write x ({os.strerror(errno.ENOSPC)})")
    write_result = run.write_result

    def write(directory: Path, result: dict[str, Any]) -> None:
        if is_full and result["status"] != TrialStatus.RUNNING:
            raise full
        write_result(directory, result)

    def objective(config: Any, run: Run) -> None:
        raise full

    monkeypatch.setattr(run, "write_result", write)
    monkeypatch.setattr(worker, "locate", lambda path: objective)
    told: list[str] = []
    task = WorkerTask(objective="objective", metric="loss", mode="min")
    train_trial(tmp_path, task, lambda report: None, fail=told.append)
    assert told == ([str(full)] if is_full else [])
    assert read_trial(tmp_path).status == ("running" if is_full else "failed")


def test_trial_that_never_reports_what_the_scheduler_decides_by_is_told_so() -> None:
    told = "sweep.metric=valid/los was never reported, and scheduler=asha decides by it; did you "
    for scheduler, metric, sentence in (
        ("asha", "valid/los", f"{told}mean valid/loss."),
        ("asha", "valid/loss", ""),
        ("none", "valid/los", ""),
    ):
        task = WorkerTask(objective="", metric=metric, mode="min", scheduler=scheduler)
        reporter = ThrottledReporter(task, lambda report: None)
        reporter.check_scored()  # it was done before, or stopped: nothing came
        reporter(1, {"train/loss": 2.0}, 2)
        reporter(2, {"train/loss": 2.0, "valid/loss": 2.0}, 2)
        if not sentence:
            reporter.check_scored()
            continue
        with pytest.raises(UserError) as error:
            reporter.check_scored()
        assert str(error.value) == sentence


def test_trial_prints_to_its_own_log_until_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def objective(config: Any, run: Run) -> None:
        print(f"rate {config['rate']}")
        os.write(2, b"to standard error\n")
        raise ValueError("no rate")

    monkeypatch.setattr(worker, "locate", lambda path: objective)
    task = WorkerTask(objective="objective", metric="loss", mode="min")
    for rate in (1, 2):
        directory = tmp_path / str(rate)
        directory.mkdir()
        update_trial(directory, fingerprint="f")
        (directory / "config.yaml").write_text(f"rate: {rate}\n")
        train_trial(directory, task, lambda report: None)
        text = f"rate {rate}\nto standard error\n"
        assert (directory / "log.txt").read_text() == text
    assert capfd.readouterr() == ("", "")
