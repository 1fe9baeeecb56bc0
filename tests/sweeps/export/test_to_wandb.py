"""A sweep as runs of Weights & Biases, offline, and what the package was given."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sweeps.export.export import export_sweep
from sweeps.store import read_sweep
from sweeps.store.result import correct_result
from sweeps.store.tags import write_tags

pytest.importorskip("wandb", reason="the extra wandb is not installed")


class Recorder:
    """Stands for `wandb.init` and for the runs that it returns."""

    def __init__(self) -> None:
        self.runs: list[dict[str, Any]] = []

    def init(self, **options: Any) -> Any:
        run: dict[str, Any] = {**options, "history": [], "summary": {}}
        self.runs.append(run)
        return SimpleNamespace(
            log=lambda values, step: run["history"].append((step, values)),
            summary=run["summary"],
            finish=lambda exit_code: run.update(exit_code=exit_code),
        )


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    found = Recorder()
    monkeypatch.setattr("wandb.init", found.init)
    monkeypatch.setenv("WANDB_MODE", "offline")
    return found


def test_run_has_configuration_history_and_summary(grid: Path, recorder: Recorder) -> None:
    trial = read_sweep(grid).trials[0]
    write_tags(trial.directory, ["good"])
    text = export_sweep(read_sweep(grid), "wandb", "team/project", "grid")
    assert text.startswith("grid: 12 new, 0 changed, 0 as before; ")
    assert "wandb sync" in text
    run = next(one for one in recorder.runs if one["name"] == trial.directory.name)
    assert (run["entity"], run["project"], run["group"]) == ("team", "project", "grid")
    assert run["config"] == {
        "rate": 0.01,
        "kind": "a",
        "seed": 0,
        "settings": {"rate": "0.01", "kind": "a", "seed": "0"},
    }
    assert run["tags"] == ("good",)
    assert [step for step, _ in run["history"]] == [10, 20, 30]
    assert run["history"][0][1]["valid/loss"] == pytest.approx(0.2)
    assert run["summary"]["best/valid/loss"] == pytest.approx(0.1 + 1 / 30)
    assert run["summary"]["fingerprint"] == trial.fingerprint
    assert run["exit_code"] == 0
    assert sum(one["exit_code"] for one in recorder.runs) == 2
    assert len({one["id"] for one in recorder.runs}) == 12


def test_each_trial_is_exported_once_to_each_place(
    grid: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def export(project: str = "project") -> str:
        recorder.runs.clear()
        return export_sweep(read_sweep(grid), "wandb", project, "grid")

    export()
    first = {one["name"]: one["id"] for one in recorder.runs}
    assert "0 new, 0 changed, 12 as before" in export()
    assert not recorder.runs
    trial = read_sweep(grid).trials[1].directory
    correct_result(trial, status="stopped")
    assert "0 new, 1 changed, 11 as before" in export()
    assert [one["id"] for one in recorder.runs] == [first[trial.name]]  # replaces the run
    assert "12 new" in export("other")
    monkeypatch.setenv("WANDB_MODE", "online")
    assert "12 new" in export()


def test_export_that_was_interrupted_goes_on(
    grid: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def init(**options: Any) -> Any:
        if len(recorder.runs) == 5:
            raise KeyboardInterrupt
        return recorder.init(**options)

    monkeypatch.setattr("wandb.init", init)
    with pytest.raises(KeyboardInterrupt):
        export_sweep(read_sweep(grid), "wandb", "project", "grid")
    monkeypatch.setattr("wandb.init", recorder.init)
    assert "7 new, 0 changed, 5 as before" in export_sweep(
        read_sweep(grid), "wandb", "project", "grid"
    )


def test_package_itself_writes_offline_runs(make_sweep: Any) -> None:
    folder = make_sweep([{"a": 1}, {"a": 2}], lambda s, step: 1.0)
    done = subprocess.run(
        [sys.executable, "-m", "sweeps", "export", str(folder), "--to", "wandb", "project"],
        cwd=folder.parent,
        env={
            **os.environ,
            "WANDB_MODE": "offline",
            "PYTHONPATH": str(Path(__file__).parents[3]),
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("grid: 2 new, 0 changed, 0 as before; ")
    assert done.stderr == ""
    files = list((folder.parent / "wandb").glob("offline-run-*/*.wandb"))
    assert len(files) == 2
    assert all(path.stat().st_size > 500 for path in files)
