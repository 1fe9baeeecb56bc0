"""`sweeps rm`: what is removed, what is made anew, and what is refused."""

import csv
import io
import sys
from pathlib import Path
from typing import Any

import pytest

from sweeps.analysis import compare_trials
from sweeps.analysis.results import write_results
from sweeps.cli.remove import main
from sweeps.io.lock import locked
from sweeps.store import read_sweep
from sweeps.store.sweep import lock_path
from sweeps.tensorboard.custom_scalars import read_charts, write_charts
from sweeps.tensorboard.replicate_runs import write_replicate_runs

CHARTS = {"Loss": ["valid/loss", "train/loss"], "Odd": ["a.b+c/(x)"]}


@pytest.fixture
def ended(grid: Path) -> Path:
    """A sweep as a run leaves it."""
    sweep = read_sweep(grid)
    write_charts(sweep, CHARTS)
    write_results(grid / "results.csv", compare_trials(sweep))
    write_replicate_runs(sweep, CHARTS)
    return grid


def removed(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    main([str(argument) for argument in arguments])
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    assert end.value.code in (1, 2)
    return capsys.readouterr().err


def listed(folder: Path) -> list[str]:
    with (folder / "results.csv").open(newline="") as file:
        return sorted(row["trial"] for row in csv.DictReader(file))


def test_trials_of_a_status_are_removed(ended: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path.name for path in ended.iterdir()}
    gone = {
        one.directory.name
        for one in read_sweep(ended).trials
        if one.status in ("failed", "diverged")
    }
    text = removed(capsys, ended, "--status", "failed,diverged", "--yes")
    assert text.endswith("removed 2 trials\n")
    assert before - {path.name for path in ended.iterdir()} == gone
    left = [one.directory.name for one in read_sweep(ended).trials]
    assert len(left) == 10
    assert listed(ended) == left
    assert "nothing was removed" in removed(capsys, ended, "--status", "failed", "--yes")


def test_means_over_replicates_are_those_of_the_trials_that_are_left(
    ended: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert read_charts(ended) == CHARTS
    setting = "rate=0.01,kind=a,"
    assert (ended / "over_seed" / setting).is_dir()
    trial = next(one for one in read_sweep(ended).trials if one.directory.name.startswith(setting))
    assert "removed 1 trial\n" in removed(capsys, trial.directory, trial.directory, "--yes")
    assert not trial.directory.exists()
    assert not (ended / "over_seed" / setting).exists()  # one replicate has no mean
    assert (ended / "over_seed" / "rate=0.01,kind=b,").is_dir()
    assert read_charts(ended) == CHARTS


def test_sweep_that_runs_and_trial_that_is_trained_are_refused(
    ended: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trial = read_sweep(ended).trials[0].directory
    with locked(lock_path(ended), ""):
        error = refused(capsys, trial, "--yes")
    assert f"a command runs the sweep in {ended}" in error
    assert f"sweeps stop {ended}" in error
    with locked(trial / ".lock", ""):
        assert "a process trains" in refused(capsys, trial, "--yes")
    assert len(read_sweep(ended).trials) == 12


@pytest.mark.parametrize(("answer", "left"), [("y\n", 11), ("\n", 12), ("no\n", 12)])
def test_it_asks_first(
    ended: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: str,
    left: int,
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    trial = read_sweep(ended).trials[0].directory
    if left == 12:
        assert "nothing was removed" in refused(capsys, trial)
    else:
        assert "Remove 1 trial? [y/N]" in removed(capsys, trial)
    assert len(read_sweep(ended).trials) == left


@pytest.mark.parametrize(
    ("below", "arguments", "sentence"),
    [
        ("", [], "is a sweep; name trials of it, or choose them with --status"),
        ("", ["--status", "fialed"], "'fialed' is not a valid TrialStatus; choose of finished"),
        ("", ["--status", "failed"], "nobody can be asked here; give --yes to remove 1 trial"),
        ("nothing", ["--yes"], "has no trial nothing"),
    ],
)
def test_mistake_removes_nothing(
    ended: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    below: str,
    arguments: list[str],
    sentence: str,
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert sentence in refused(capsys, ended / below, *arguments)
    assert len(read_sweep(ended).trials) == 12


def test_single_run_is_removed(make_sweep: Any, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_sweep([{"a": 1}], lambda s, step: 1.0, name="single")
    trial = read_sweep(folder).trials[0].directory
    (folder / "sweep.json").unlink()
    removed(capsys, trial, "--yes")
    assert list(folder.iterdir()) == []


@pytest.mark.slow
@pytest.mark.usefixtures("joined")
def test_same_command_trains_the_removed_ones_again(
    toy: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = ["--multirun", "rate=0.1,0.2", "steps=3,5", "sweep.name=one"]
    assert toy(*sweep).returncode == 0
    before = toy.rows("one")
    folder = toy.outputs / "one"
    trial = read_sweep(folder).trials[1].directory
    removed(capsys, trial, "--yes")
    assert len(toy.rows("one")) == 3
    again = toy(*sweep)
    assert again.returncode == 0, again.stderr
    assert "4 trials, 3 of them done before" in again.stdout
    assert [row["best/loss"] for row in toy.rows("one")] == [row["best/loss"] for row in before]
    assert trial.is_dir()
