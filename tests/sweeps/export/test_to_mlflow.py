"""A sweep as an experiment: what MLflow is given, and what it gives back."""

import json
import math
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

pytest.importorskip("mlflow", reason="the extra mlflow is not installed")


class Page(list[Any]):
    """A page of runs, which may not be the last."""

    token: str | None = None


class Server:
    """Keeps in memory what a client is given; pages hold five runs."""

    def __init__(self) -> None:
        self.experiments: list[str] = []
        self.runs: dict[str, Any] = {}

    def get_experiment_by_name(self, name: str) -> Any:
        known = name in self.experiments
        return SimpleNamespace(experiment_id=name) if known else None

    def create_experiment(self, name: str) -> str:
        self.experiments.append(name)
        return name

    def create_run(self, experiment: str, start_time: int, run_name: str, tags: Any) -> Any:
        info = SimpleNamespace(run_id=f"r{len(self.runs)}", name=run_name, start=start_time)
        data = SimpleNamespace(tags=dict(tags), params={}, metrics=[])
        self.runs[info.run_id] = SimpleNamespace(info=info, data=data, experiment=experiment)
        return self.runs[info.run_id]

    def log_batch(self, run: str, metrics: Any = (), params: Any = (), tags: Any = ()) -> None:
        assert len(metrics) <= 1000
        data = self.runs[run].data
        data.metrics += [(one.key, one.step, one.value) for one in metrics]
        data.params |= {one.key: one.value for one in params}
        data.tags |= {one.key: one.value for one in tags}

    def set_terminated(self, run: str, status: str, end: int) -> None:
        self.runs[run].info.status, self.runs[run].info.end = status, end

    def delete_run(self, run: str) -> None:
        self.runs[run].experiment = "deleted"

    def search_runs(self, ids: list[str], max_results: int, page_token: str | None) -> Page:
        found = [run for run in self.runs.values() if run.experiment in ids]
        start = int(page_token or 0)
        page = Page(found[start : start + 5])
        page.token = str(start + 5) if start + 5 < len(found) else None
        return page

    def named(self) -> dict[str, Any]:
        """The runs that are not deleted, by their names."""
        found = [run for run in self.runs.values() if run.experiment != "deleted"]
        named = {run.info.name: run for run in found}
        assert len(named) == len(found)
        return named


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    from sweeps.export import to_mlflow

    found = Server()
    monkeypatch.setattr(to_mlflow, "MlflowClient", lambda tracking_uri: found)
    return found


def export(folder: Path, name: str = "grid") -> str:
    return export_sweep(read_sweep(folder), "mlflow", "sqlite:///ml.db", name)


def test_each_trial_is_a_run_once(grid: Path, server: Server) -> None:
    trials = read_sweep(grid).trials
    write_tags(trials[0].directory, ["good"])
    assert export(grid).startswith("grid: 12 new, 0 changed, 0 as before; ")
    found = server.named()
    assert set(found) == {one.directory.name for one in trials}
    first = found[trials[0].directory.name]
    assert first.data.params == {"rate": "0.01", "kind": "a", "seed": "0"}
    curve = [(step, value) for tag, step, value in first.data.metrics if tag == "valid/loss"]
    assert curve == [(step, pytest.approx(0.1 + 1 / step)) for step in (10, 20, 30)]
    assert ("best/valid/loss", 30, pytest.approx(0.1 + 1 / 30)) in first.data.metrics
    assert first.data.tags["tag.good"] == "true"
    assert first.data.tags["lm-sweeps.fingerprint"] == trials[0].fingerprint
    assert first.info.end - first.info.start == pytest.approx(1000 * trials[0].seconds, abs=2)
    assert [one.info.status for one in found.values()].count("FINISHED") == 10
    assert [one.info.status for one in found.values()].count("FAILED") == 2
    (diverged,) = [one for one in found.values() if one.data.tags["status"] == "diverged"]
    assert any(math.isnan(value) for _, _, value in diverged.data.metrics)

    assert "0 new, 0 changed, 12 as before" in export(grid)
    correct_result(trials[0].directory, status="stopped")
    assert "0 new, 1 changed, 11 as before" in export(grid)
    assert len(server.named()) == 12
    assert server.named()[trials[0].directory.name].info.status == "KILLED"


def test_run_that_was_left_half_written_is_written_anew(
    grid: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def terminate(run: str, status: str, end: int) -> None:
        if len(server.runs) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(server, "set_terminated", terminate)
    with pytest.raises(KeyboardInterrupt):
        export(grid)
    assert "9 new, 1 changed, 2 as before" in export(grid)
    assert len(server.named()) == 12


def test_sweeps_in_one_experiment_leave_each_other_alone(
    grid: Path, make_sweep: Any, server: Server
) -> None:
    export(grid)
    other = make_sweep([{"rate": 7}], lambda s, step: 1.0, name="other")
    assert "1 new, 0 changed" in export(other, "grid")
    assert "0 new, 0 changed, 12 as before" in export(grid)


def test_names_that_mlflow_does_not_take_are_replaced(make_sweep: Any, server: Server) -> None:
    folder = make_sweep([{"model/cell@a:b": 1}], lambda s, step: 1.0, metric="valid/loss(x)")
    export(folder)
    (one,) = server.named().values()
    assert one.data.params == {"model/cell_a_b": "1"}
    assert {tag for tag, _, _ in one.data.metrics} == {
        "valid/loss_x_",
        "best/valid/loss_x_",
        "train/loss",
    }


def test_long_curve_is_sent_in_pieces(make_sweep: Any, server: Server) -> None:
    folder = make_sweep([{"a": 1}], lambda s, step: 1.0, steps=range(1, 1202))
    export(folder)
    (one,) = server.named().values()
    assert len(one.data.metrics) == 2 * 1201 + 1


READER = """
import json, sys
from mlflow.tracking import MlflowClient
client = MlflowClient(tracking_uri=sys.argv[1])
found = client.get_experiment_by_name(sys.argv[2])
print(json.dumps([
    [run.info.run_name, run.info.status, run.data.params, [
        [one.step, one.value] for one in client.get_metric_history(run.info.run_id, "valid/loss")
    ]]
    for run in client.search_runs([found.experiment_id])
]))
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


@pytest.mark.slow
def test_mlflow_itself_gives_the_runs_back(make_sweep: Any) -> None:
    folder = make_sweep(
        [{"a/b@c": 1}, {"a/b@c": 2}], lambda s, step: s["a/b@c"] / step, steps=(1, 2)
    )
    command = ("-m", "sweeps", "export", folder, "--to", "mlflow", "sqlite:///ml.db")
    done = call(folder.parent, *command)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("grid: 2 new, ")
    correct_result(read_sweep(folder).trials[0].directory, status="interrupted")
    assert "0 new, 1 changed, 1 as before" in call(folder.parent, *command).stdout
    read = call(folder.parent, "-c", READER, "sqlite:///ml.db", "grid")
    assert sorted(one[1:] for one in json.loads(read.stdout)) == [
        ["FINISHED", {"a/b_c": "2"}, [[1, 2.0], [2, 1.0]]],
        ["KILLED", {"a/b_c": "1"}, [[1, 1.0], [2, 0.5]]],
    ]
    refused = call(folder.parent, *command[:-1], "./mlruns")
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: MLflow at ./mlruns refuses it: ")
    assert refused.stderr.count("\n") == 1
