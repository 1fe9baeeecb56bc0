"""A sweep that ends before its trials: a metric that nobody reports, failures, its time."""

import os
from pathlib import Path
from typing import Any

import pytest

from sweeps.store import Trial, TrialStatus
from sweeps.store.result import write_result
from sweeps.store.trial import update_trial
from sweeps.tune.guard import SweepGuard

ONE_BY_ONE = f"sweep.cpus_per_trial={os.cpu_count()}"
LONG = ["--multirun", "sweep.name=g", "steps=40", "pause=0.05"]
SHORT = ["--multirun", "sweep.name=g", "steps=3"]


def ended(folder: Path, *tags: str, status: str = "finished", error: str | None = None) -> Trial:
    metrics = dict.fromkeys(tags, 1.0)
    return Trial(directory=folder, status=TrialStatus(status), metrics=metrics, error=error)


def test_typing_error_ends_a_sweep_at_the_first_report(tmp_path: Path) -> None:
    guard = SweepGuard(metric="valid/los")
    guard.reported(tmp_path / "a", ["train/loss"])
    assert not guard.reason
    guard.reported(tmp_path / "b", ["train/loss", "valid/loss"])
    told = "sweep.metric=valid/los is not reported by these trials; did you mean valid/loss."
    assert guard.reason == told


def test_metric_that_comes_later_is_waited_for(tmp_path: Path) -> None:
    guard = SweepGuard(metric="valid/perplexity")
    for tags in (["train/perplexity"], ["test/perplexity"], ["valid/perplexity"]):
        guard.reported(tmp_path / "a", tags)
    guard.ended(ended(tmp_path / "b", "train/perplexity"))  # reports another kind of metrics
    assert not guard.reason


@pytest.mark.parametrize(
    ("trial", "is_over"),
    [
        ({"tags": ["train/loss"]}, True),
        ({"tags": []}, False),
        ({"tags": ["accuracy"]}, False),
        ({"tags": ["train/loss"], "status": "failed", "error": "ValueError"}, False),
        ({"tags": ["train/loss"], "status": "stopped"}, False),
        ({"tags": ["train/loss"], "status": "diverged"}, False),
        ({"tags": ["train/loss"], "status": "interrupted"}, False),
        (
            {
                "tags": ["train/loss"],
                "status": "failed",
                "error": "sweep.metric=accuracy was never reported, and scheduler=asha decides",
            },
            True,
        ),
    ],
)
def test_first_trial_that_finishes_without_the_metric_ends_the_sweep(
    tmp_path: Path, trial: dict[str, Any], is_over: bool
) -> None:
    guard = SweepGuard(metric="accuracy", fail_after=2)
    guard.ended(ended(tmp_path / "a", *trial.pop("tags"), **trial))
    told = "sweep.metric=accuracy is not reported by these trials; there are train/loss."
    assert guard.reason == (told if is_over else "")


@pytest.mark.parametrize("tag", ["mape", "train/loss"])
def test_metric_of_an_earlier_run_is_known(tmp_path: Path, tag: str) -> None:
    """A trial that goes on need not report all tags once more."""
    for name, metrics in (("a", {}), ("b", {"mae": 1.0})):
        (tmp_path / name).mkdir()
        update_trial(tmp_path / name, fingerprint=name)
        write_result(tmp_path / name, {"status": "finished", "step": 1, "metrics": metrics})
    guard = SweepGuard(metric="mae")
    guard.reported(tmp_path / "a", [tag])
    guard.ended(ended(tmp_path / "a", tag))
    assert not guard.reason


def test_failures_are_counted_once_each(tmp_path: Path) -> None:
    guard = SweepGuard(metric="loss", fail_after=2)
    for name in ("a", "a", "b"):
        assert not guard.reason
        guard.ended(ended(tmp_path / name, status="failed"))
    told = "2 trials failed, which ends a sweep with sweep.fail_after=2; the same command goes on."
    assert guard.reason == told
    assert not guard.is_time_up


def test_time_ends_a_sweep_once() -> None:
    now = 0.0
    guard = SweepGuard(metric="loss", hours=2, fail_after=1, clock=lambda: now)
    now = 7199.0
    guard.check_time()
    assert not guard.reason
    now = 7200.0
    guard.check_time()
    guard.failed(["a"])
    assert guard.reason == "the time of sweep.hours=2 is used up; the same command goes on."
    assert guard.is_time_up
    failed_before = SweepGuard(metric="loss", hours=2, fail_after=1, clock=lambda: now)
    failed_before.failed(["a"])
    now = 20_000.0
    failed_before.check_time()
    assert not failed_before.is_time_up


def statuses(toy: Any) -> set[str]:
    return {row["status"] for row in toy.rows("g")}


@pytest.mark.parametrize(
    "how",
    [
        [],
        ["sweep.pack=9", "sweep.cpus_per_trial=2"],
        ["scheduler=asha"],
        pytest.param(["scheduler=median"], marks=pytest.mark.slow),
        pytest.param(["scheduler=pbt"], marks=pytest.mark.slow),
        pytest.param(["search=random", "search.trials=3"], marks=pytest.mark.slow),
        pytest.param(["search=optuna", "search.trials=3"], marks=pytest.mark.slow),
    ],
)
@pytest.mark.usefixtures("joined")
@pytest.mark.slow
def test_sweep_with_a_mistyped_metric_ends_at_once_and_goes_on_with_the_right_one(
    toy: Any, how: list[str]
) -> None:
    command = [*LONG, "rate=0.1,0.2,0.3", *how]
    done = toy(*command, "sweep.metric=los")
    assert done.returncode == 1, done.stderr
    told = "error: sweep.metric=los is not reported by these trials; did you mean loss.\n"
    assert done.stderr == told
    assert "no trial reported los, so none is the best; did you mean loss." in done.stdout
    assert "best trial" not in done.stdout
    assert "failed" not in done.stdout
    assert "interrupted" in statuses(toy) <= {"interrupted", "waiting"}
    again = toy(*command)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "finished" in statuses(toy) <= {"finished", "stopped"}
    assert "best trial:" in again.stdout


@pytest.mark.parametrize(
    ("how", "status"),
    [
        ([], "finished"),
        pytest.param(["sweep.pack=2"], "finished", marks=pytest.mark.slow),
        pytest.param(["scheduler=asha"], "failed", marks=pytest.mark.slow),
        pytest.param(["search=optuna", "search.trials=4"], "finished", marks=pytest.mark.slow),
    ],
)
@pytest.mark.usefixtures("joined")
@pytest.mark.slow
def test_sweep_ends_with_its_first_trial_where_that_never_reports_the_metric(
    toy: Any, how: list[str], status: str
) -> None:
    command = [*SHORT, "rate=0.1,0.2,0.3,0.4", ONE_BY_ONE, *how]
    done = toy(*command, "sweep.metric=accuracy")
    assert done.returncode == 1, done.stderr
    told = "sweep.metric=accuracy is not reported by these trials; there are loss, train/x."
    assert done.stderr == f"error: {told}\n"
    assert "best trial" not in done.stdout
    found = [row["status"] for row in toy.rows("g")]
    assert status in found
    assert found.count("finished") < 4
    again = toy(*command)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "finished" in statuses(toy) <= {"finished", "stopped"}


@pytest.mark.slow
@pytest.mark.usefixtures("joined")
def test_sweep_ends_after_its_failures_and_goes_on(toy: Any) -> None:
    command = [*LONG, "rate=0.1,0.2,0.3", "fault=raise_once,none", "sweep.fail_after=1"]
    done = toy(*command)
    assert done.returncode == 1
    assert done.stderr == (
        "error: 1 trial failed, which ends a sweep with sweep.fail_after=1; the same command "
        "goes on.\n"
    )
    found = [row["status"] for row in toy.rows("g")]
    assert found.count("failed") < 3
    assert "interrupted" in found
    assert "finished" not in found
    again = toy(*command[:-2], "fault=none")
    assert again.returncode == 0, again.stdout + again.stderr


@pytest.mark.usefixtures("joined")
@pytest.mark.slow
def test_sweep_ends_at_its_time_and_goes_on(toy: Any) -> None:
    command = [*LONG, "rate=0.1,0.2,0.3"]
    done = toy(*command, "sweep.hours=0.0001")
    assert done.returncode == 124, done.stderr
    assert done.stderr == ""
    told = "The time of sweep.hours=0.0001 is used up; the same command goes on."
    assert told in done.stdout
    assert "go on:       python -m toy " in done.stdout
    assert "trains what is left: " in done.stdout
    assert "look at it:" in done.stdout
    assert statuses(toy) <= {"interrupted", "waiting"}
    again = toy(*command, "sweep.hours=1")
    assert again.returncode == 0, again.stdout + again.stderr
    assert statuses(toy) == {"finished"}
    assert "used up" not in again.stdout
    for rate, table in toy.tables("g").items():
        expected = [(step, (1 - 2 * float(rate)) ** (2 * step)) for step in range(1, 41)]
        assert table == [(step, pytest.approx(loss, rel=1e-9)) for step, loss in expected]


@pytest.mark.fault
@pytest.mark.slow
@pytest.mark.usefixtures("joined")
def test_trials_that_lose_their_worker_together_fail_one_by_one(toy: Any) -> None:
    pack = ["sweep.pack=4", "sweep.cpus_per_trial=2", "sweep.fail_after=1"]
    done = toy(*LONG, *pack, "fault=none,kill_once,kill")
    assert done.returncode == 1
    assert "3 trials lost their worker together; each is trained by itself." in done.stdout
    assert "error: 1 trial failed, which ends" in done.stderr
