"""What is exported, once, and what is told where a tool is missing."""

import sys
from pathlib import Path
from typing import Any

import pytest

from sweeps.cli.export import main
from sweeps.export.records import compare, records_of
from sweeps.store import read_sweep
from sweeps.store.result import correct_result
from sweeps.store.tags import write_tags


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    assert end.value.code == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


@pytest.mark.parametrize("kind", ["optuna", "mlflow", "wandb"])
def test_missing_package_is_told_in_one_sentence(
    grid: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, f"sweeps.export.to_{kind}", None)  # type: ignore[arg-type]
    error = refused(capsys, grid, "--to", kind, "x")
    assert f"--to {kind} needs the package {kind}; pip install 'lm-sweeps[{kind}]'" in error


def test_tool_that_is_not_known_is_refused(grid: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--to aim is not known; choose optuna, mlflow, wandb." in refused(
        capsys, grid, "--to", "aim", "x"
    )
    assert "holds no sweep" in refused(capsys, grid.parent, "--to", "optuna", "x")


def test_trials_that_have_not_ended_are_left_out(make_sweep: Any) -> None:
    settings = [{"a": number} for number in range(3)]
    ends = ["finished", "waiting", "finished"]
    folder = make_sweep(settings, lambda s, step: 1.0, ends=lambda s: ends[s["a"]])
    correct_result(read_sweep(folder).trials[2].directory, status="running")
    assert [one.trial.settings["a"] for one in records_of(read_sweep(folder))] == ["0"]


@pytest.mark.parametrize(
    "change",
    [
        lambda path: correct_result(path, status="interrupted"),
        lambda path: correct_result(path, step=31),
        lambda path: correct_result(path, metrics={"valid/loss": 0.5}),
        lambda path: correct_result(path, error="why"),
        lambda path: write_tags(path, ["good"]),
        lambda path: path.rename(path.with_name("renamed")),
    ],
)
def test_each_change_of_a_trial_is_seen(grid: Path, change: Any) -> None:
    records = records_of(read_sweep(grid))
    known = {record.key: record.digest for record in records}
    assert len(compare(records, known).same) == 12
    assert len(compare(records, {}).new) == 12
    change(records[3].trial.directory)
    changes = compare(records_of(read_sweep(grid)), known)
    assert [one.key for one in changes.changed] == [records[3].key]
    assert changes.to_write == changes.changed
    assert len(changes.same) == 11
