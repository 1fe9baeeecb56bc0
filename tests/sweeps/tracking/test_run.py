"""A run's folder tells what became of it."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sweeps.io.atomic import read_json
from sweeps.store.metrics import read_metrics
from sweeps.store.provenance import read_provenance
from sweeps.tracking import Diverged, Run
from sweeps.tracking import run as run_module


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., Run]:
    return lambda **changes: Run(tmp_path, **{"metric": "loss", "mode": "min", **changes})


def result(run: Run) -> dict[str, Any]:
    found = read_json(run.directory / "result.json")
    assert found is not None
    return found


def test_finished_run_keeps_its_last_and_its_best_values(start: Callable[..., Run]) -> None:
    with start() as run:
        for step, loss in enumerate([3.0, 1.0, math.nan, 2.0]):
            run.report(step, {"loss": loss, f"only/{step}": step}, total_steps=4)
    found = result(run)
    assert found["status"] == "finished"
    assert (found["step"], found["total_steps"]) == (3, 4)
    assert found["metrics"] == {"loss": 2, "only/0": 0, "only/1": 1, "only/2": 2, "only/3": 3}
    assert found["best"] == {"metric": "loss", "value": 1.0, "step": 1}


def test_best_of_a_maximised_metric_is_its_largest(start: Callable[..., Run]) -> None:
    with start(mode="max") as run:
        for step, loss in enumerate([3.0, 5.0, math.nan]):
            run.report(step, {"loss": loss})
    assert result(run)["best"]["value"] == 5


def test_divergence_is_a_status_and_keeps_the_history(start: Callable[..., Run]) -> None:
    with start() as run:
        run.report(7, {"loss": math.inf})
        raise Diverged(8)
    found = result(run)
    assert (found["status"], found["step"]) == ("diverged", 8)
    assert found["metrics"] == {"loss": math.inf}
    assert json.loads((run.directory / "result.json").read_text())["metrics"] == {"loss": "inf"}
    assert not (run.directory / "error.txt").exists()


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (KeyboardInterrupt(), "interrupted"),
        (SystemExit(0), "stopped"),
        (SystemExit(3), "failed"),
        (ValueError("no\ngood"), "failed"),
    ],
)
def test_other_ways_out_are_recorded_and_go_on(
    start: Callable[..., Run], error: BaseException, status: str
) -> None:
    run = start()
    with pytest.raises(type(error)), run:
        raise error
    assert result(run)["status"] == status


def test_failure_leaves_its_traceback_until_the_next_start(start: Callable[..., Run]) -> None:
    with pytest.raises(ValueError, match="good"), start() as run:
        raise ValueError("no\ngood")
    assert result(run)["error"] == "ValueError: no good"
    assert "test_run.py" in (run.directory / "error.txt").read_text()
    with start() as run:
        pass
    assert not (run.directory / "error.txt").exists()
    assert result(run)["error"] is None


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (None, "finished"),
        (Diverged(8), "diverged"),
        (SystemExit(0), "stopped"),
        (ValueError("no\ngood"), "failed"),
    ],
)
def test_closed_run_is_left_as_it_is_whatever_comes_after(
    start: Callable[..., Run], error: BaseException | None, status: str
) -> None:
    """Of trials that train together each ends by itself."""
    heard: list[int] = []
    run = start(on_report=lambda step, *rest: heard.append(step)).__enter__()
    run.report(7, {"loss": 2.0}, 9)
    assert not run.closed
    run.close(error)
    assert run.closed
    before = result(run)
    run.close(RuntimeError("later"))
    assert not run.__exit__(Diverged, Diverged(9), None)
    assert before == result(run)
    assert before["status"] == status
    assert (run.directory / "error.txt").exists() == (status == "failed")
    assert heard == ([7] if status in ("finished", "diverged") else [])
    with start():  # the folder is free
        pass


def test_resumed_run_keeps_history_and_best_up_to_its_checkpoint(
    start: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(run_module.time, "monotonic", lambda: float(next(clock)))
    with start() as run:
        for step, loss in enumerate([5.0, 4.0, 1.0]):
            run.report(step, {"loss": loss})
    before = result(run)["seconds"]
    with start() as run:
        run.resume_at(1)
        run.report(2, {"loss": 4.5})
    assert result(run)["best"] == {"metric": "loss", "value": 4.0, "step": 1}
    assert [row["loss"] for row in read_metrics(run.directory / "metrics.csv")] == [5, 4, 4.5]
    assert result(run)["seconds"] > before


def test_run_that_finds_no_checkpoint_starts_a_new_history(start: Callable[..., Run]) -> None:
    for losses in ([1.0, 2.0, 3.0], [9.0]):
        with start() as run:
            for step, loss in enumerate(losses):
                run.report(step, {"loss": loss})
    assert result(run)["best"]["value"] == 9
    assert len(read_metrics(run.directory / "metrics.csv")) == 1


def test_killed_run_can_be_told_from_a_finished_one(start: Callable[..., Run]) -> None:
    run = start().__enter__()
    run.report(1, {"loss": 1.0})
    assert result(run)["status"] == "running"
    run.__exit__(None, None, None)


def test_facts_of_the_running_program_join_the_provenance(start: Callable[..., Run]) -> None:
    with start() as run:
        run.add_provenance(device="cpu")
        run.add_provenance(threads=2)
    assert read_provenance(run.directory).facts == {"device": "cpu", "threads": 2}


def test_every_report_is_passed_on(start: Callable[..., Run]) -> None:
    heard: list[Any] = []
    with start(on_report=lambda *report: heard.append(report)) as run:
        run.report(1, {"loss": 2}, 9)
    assert heard == [(1, {"loss": 2.0}, 9)]


def test_phase_ends_with_the_first_report_or_the_run(tmp_path: Path) -> None:
    for reports, expected in ((True, ["compiling", "training", ""]), (False, ["compiling", ""])):
        said: list[str] = []
        with Run(tmp_path, metric="loss", mode="min", on_phase=said.append) as run:
            run.phase("compiling")
            if reports:
                run.phase("training")
                run.report(1, {"loss": 1.0}, 2)
                run.report(2, {"loss": 1.0}, 2)
        assert said == expected
