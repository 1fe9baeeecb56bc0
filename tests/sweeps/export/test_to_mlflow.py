"""A sweep as an experiment, read back by MLflow."""

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sweeps.store import read_sweep
from sweeps.store.result import correct_result
from sweeps.store.tags import write_tags

pytest.importorskip("mlflow", reason="the extra mlflow is not installed")

READER = """
import json, sys
from mlflow.tracking import MlflowClient
client = MlflowClient(tracking_uri=sys.argv[1])
found = client.get_experiment_by_name(sys.argv[2])
runs = []
for run in client.search_runs([found.experiment_id]):
    curves = {
        key: [[one.step, one.timestamp, one.value] for one in client.get_metric_history(
            run.info.run_id, key)]
        for key in run.data.metrics
    }
    runs.append({
        "name": run.info.run_name, "status": run.info.status, "params": run.data.params,
        "tags": run.data.tags, "curves": curves,
        "seconds": (run.info.end_time - run.info.start_time) / 1000,
    })
print(json.dumps(runs))
"""


def call(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """In a process of its own: MLflow warns of libraries that it uses."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
    )


def export(grid: Path, *more: object) -> str:
    where = ("--to", "mlflow", "sqlite:///ml.db")
    done = call(grid.parent, "-m", "sweeps", "export", grid, *where, *more)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def runs(grid: Path, name: str = "grid") -> dict[str, Any]:
    import json

    done = call(grid.parent, "-c", READER, "sqlite:///ml.db", name)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    named = {one["name"]: one for one in found}
    assert len(named) == len(found)
    return named


def test_each_trial_is_a_run_once(grid: Path) -> None:
    trials = read_sweep(grid).trials
    write_tags(trials[0].directory, ["good"])
    assert export(grid).startswith("grid: 12 new, 0 changed, 0 as before; ")
    found = runs(grid)
    assert set(found) == {one.directory.name for one in trials}
    first = found[trials[0].directory.name]
    assert first["params"] == {"rate": "0.01", "kind": "a", "seed": "0"}
    assert first["status"] == "FINISHED"
    curve = [(step, value) for step, _, value in first["curves"]["valid/loss"]]
    assert curve == [(step, pytest.approx(0.1 + 1 / step)) for step in (10, 20, 30)]
    assert first["curves"]["best/valid/loss"][0][2] == pytest.approx(0.1 + 1 / 30)
    assert first["tags"]["tag.good"] == "true"
    assert first["tags"]["lm-sweeps.fingerprint"] == trials[0].fingerprint
    assert first["seconds"] == pytest.approx(trials[0].seconds, abs=0.002)
    assert sorted(one["status"] for one in found.values()).count("FAILED") == 2
    (diverged,) = [one for one in found.values() if one["tags"]["status"] == "diverged"]
    assert math.isnan(diverged["curves"]["valid/loss"][-1][2])

    assert "0 new, 0 changed, 12 as before" in export(grid)
    correct_result(trials[0].directory, status="stopped")
    assert "0 new, 1 changed, 11 as before" in export(grid)
    found = runs(grid)
    assert len(found) == 12
    assert found[trials[0].directory.name]["status"] == "KILLED"


def test_names_that_mlflow_does_not_take_are_replaced(make_sweep: Any) -> None:
    axis = "model/cell@a:b"
    folder = make_sweep([{axis: 1}], lambda s, step: 1.0, metric="valid/loss(x)")
    export(folder, "--name", "other")
    (one,) = runs(folder, "other").values()
    assert one["params"] == {"model/cell_a_b": "1"}
    assert set(one["curves"]) == {"valid/loss_x_", "best/valid/loss_x_", "train/loss"}


def test_refusal_of_mlflow_is_one_sentence(grid: Path) -> None:
    done = call(grid.parent, "-m", "sweeps", "export", grid, "--to", "mlflow", "./mlruns")
    assert done.returncode == 1
    assert done.stderr.startswith("error: MLflow at ./mlruns refuses it: ")
    assert done.stderr.count("\n") == 1
