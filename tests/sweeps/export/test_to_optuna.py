"""A sweep as a study, read back by Optuna."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from sweeps.cli.export import main
from sweeps.store import read_sweep
from sweeps.store.result import correct_result
from sweeps.store.sweep import write_sweep
from sweeps.store.tags import write_tags


def exported(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    main([str(argument) for argument in arguments])
    return capsys.readouterr().out


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/study.db"


def test_study_has_distributions_values_curves_states_and_attributes(
    grid: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tagged = read_sweep(grid).trials[0]
    write_tags(tagged.directory, ["good"])
    text = exported(capsys, grid, "--to", "optuna", url)
    assert text.startswith("grid: 12 new, 0 changed, 0 as before; ")
    study = optuna.load_study(study_name="grid", storage=url)
    assert study.direction.name == "MINIMIZE"
    states = [one.state for one in study.trials]
    assert states.count(TrialState.COMPLETE) == 10
    assert states.count(TrialState.FAIL) == 2
    assert study.best_value == pytest.approx(0.1 + 1 / 30)
    assert study.best_params == {"rate": 0.01, "kind": "a", "seed": 0}
    best = study.best_trial
    assert best.distributions == {
        "rate": FloatDistribution(0.01, 0.5),
        "kind": CategoricalDistribution(["a", "b"]),
        "seed": IntDistribution(0, 1),
    }
    assert best.intermediate_values == {
        step: pytest.approx(0.1 + 1 / step) for step in (10, 20, 30)
    }
    attributes = best.user_attrs
    assert attributes["trial"] == tagged.directory.name
    assert attributes["lm-sweeps.fingerprint"] == tagged.fingerprint
    assert attributes["settings"] == dict(tagged.settings)
    assert attributes["status"] == "finished"
    assert attributes["tags"] == ["good"]
    assert attributes["last train/loss"] == pytest.approx(best.value / 2)
    assert attributes["command"] == tagged.train_command
    diverged = [one for one in study.trials if one.user_attrs["status"] == "diverged"]
    assert math.isnan(diverged[0].intermediate_values[30])


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("finished", "COMPLETE"),
        ("stopped", "PRUNED"),
        ("diverged", "FAIL"),
        ("failed", "FAIL"),
        ("interrupted", "FAIL"),
        ("finished without a value", "FAIL"),
    ],
)
def test_states(
    make_sweep: Any, url: str, capsys: pytest.CaptureFixture[str], status: str, state: str
) -> None:
    value = math.nan if "without" in status else 1.0
    folder = make_sweep([{"a": 1}], lambda s, step: value, mode="max")
    correct_result(read_sweep(folder).trials[0].directory, status=status.split()[0])
    exported(capsys, folder, "--to", "optuna", url, "--name", "other")
    study = optuna.load_study(study_name="other", storage=url)
    assert [one.state.name for one in study.trials] == [state]
    assert study.direction.name == "MAXIMIZE"
    if value == 1.0:
        assert study.trials[0].intermediate_values == {10: 1.0, 20: 1.0, 30: 1.0}


def test_each_trial_is_there_once(grid: Path, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    exported(capsys, grid, "--to", "optuna", url)
    first = optuna.load_study(study_name="grid", storage=url)
    text = exported(capsys, grid, "--to", "optuna", url)
    assert "0 new, 0 changed, 12 as before" in text
    assert "made anew" not in text
    assert len(first.trials) == 12
    changed = read_sweep(grid).trials[1]
    correct_result(changed.directory, status="interrupted")
    text = exported(capsys, grid, "--to", "optuna", url)
    assert "0 new, 1 changed, 11 as before" in text
    assert "made anew" in text
    study = optuna.load_study(study_name="grid", storage=url)
    statuses = {one.user_attrs["trial"]: one.user_attrs["status"] for one in study.trials}
    assert len(study.trials) == len(statuses) == 12
    assert statuses[changed.directory.name] == "interrupted"


@pytest.mark.parametrize(
    ("settings", "anew"),
    [
        ([{"a": 0.1}, {"a": 0.2}, {"a": 7.5}], False),
        ([{"a": 1}, {"a": 2}, {"a": 0.5}], True),  # whole numbers no more
        ([{"a": "x"}, {"a": "y"}, {"a": "z"}], True),
        ([{"a": "x"}, {"a": "y"}, {"a": "x", "b": 1}], True),
    ],
)
def test_sweep_that_grows_adds_trials(
    make_sweep: Any,
    url: str,
    capsys: pytest.CaptureFixture[str],
    settings: list[Mapping[str, Any]],
    anew: bool,
) -> None:
    folder = make_sweep(settings[:2], lambda s, step: 1.0)
    exported(capsys, folder, "--to", "optuna", url)
    folder.rename(folder.with_name("before"))
    grown = make_sweep(settings, lambda s, step: 1.0)
    for old in read_sweep(folder.with_name("before")).trials:  # not trained again
        old.directory.replace(grown / "old")
        (new,) = [one for one in read_sweep(grown).trials if one.fingerprint == old.fingerprint][:1]
        for path in new.directory.iterdir():
            path.unlink()
        for path in (grown / "old").iterdir():
            path.rename(new.directory / path.name)
        (grown / "old").rmdir()
    text = exported(capsys, grown, "--to", "optuna", url)
    assert "1 new, 0 changed, 2 as before" in text
    assert ("made anew" in text) == anew
    study = optuna.load_study(study_name="grid", storage=url)
    assert len({one.user_attrs["trial"] for one in study.trials}) == len(study.trials) == 3


@pytest.mark.parametrize(
    ("case", "sentence"),
    [
        ("axes", "has a study grid of other axes: rate, kind, seed; give this one another name"),
        ("metric", "has a study grid of another metric: valid/loss; give"),
        ("sweep", "has a study grid of another sweep: "),
        ("foreign", "has a study grid that no sweep wrote; give"),
    ],
)
def test_study_of_another_is_refused(
    grid: Path,
    make_sweep: Any,
    url: str,
    capsys: pytest.CaptureFixture[str],
    case: str,
    sentence: str,
) -> None:
    if case == "foreign":
        optuna.create_study(study_name="grid", storage=url)
    else:
        exported(capsys, grid, "--to", "optuna", url)
    folder, name = grid, "grid"
    if case == "axes":
        folder = make_sweep([{"other": 1}], lambda s, step: 1.0, name="b/grid")
    elif case == "metric":
        sweep = read_sweep(grid)
        write_sweep(type(sweep)(folder=grid, axes=sweep.axes, metric="train/loss"))
    elif case == "sweep":
        folder = make_sweep([{"rate": 1, "kind": "a", "seed": 2}], lambda s, step: 1.0, name="b")
    with pytest.raises(SystemExit):
        main([str(folder), "--to", "optuna", url, "--name", name])
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("target", ["nosuch://a", "grid.db", "sqlite:////nowhere/at/all.db"])
def test_storage_that_cannot_be_opened_is_told(
    grid: Path, capsys: pytest.CaptureFixture[str], target: str
) -> None:
    with pytest.raises(SystemExit):
        main([str(grid), "--to", "optuna", target])
    error = capsys.readouterr().err
    assert error.startswith(f"error: the storage {target} cannot be used (")
    assert error.count("\n") == 1
