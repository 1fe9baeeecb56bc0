"""`sweeps ls`: a row for each sweep, whatever it holds."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from sweeps.cli.listing import main
from sweeps.io.lock import locked
from sweeps.store.sweep import lock_path, read_sweep
from sweeps.store.tags import write_tags


@pytest.fixture(autouse=True)
def columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def shown(capsys: pytest.CaptureFixture[str], *arguments: object) -> list[str]:
    main([str(argument) for argument in arguments])
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 80 for line in lines)
    return [" ".join(line.split()) for line in lines]


def test_each_sweep_below_is_a_row(
    grid: Path, make_sweep: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    make_sweep([{"a": 1}], lambda s, step: step, name="deep/er", mode="max")
    make_sweep([], lambda s, step: 0.0, name="empty")
    make_sweep([{"a": 1}], lambda s, step: 0.0, name="begun", ends=lambda s: "waiting")
    make_sweep([{"a": 1}], lambda s, step: 0.0, name=".hidden")
    old = time.time() - 3 * 86400 - 100
    for path in (grid.parent / "deep/er").rglob("*"):
        os.utime(path, (old, old))
    assert shown(capsys, grid.parent) == [
        "sweep trials metric best changed",
        "begun 1 not started valid/loss now",
        "deep/er 1 finished valid/loss 30 3 days ago",
        "empty none valid/loss now",
        "grid 10 finished, 1 diverged, 1 failed valid/loss 0.133333 now",
    ]
    assert shown(capsys, grid)[1].startswith("grid 10 finished")
    both = shown(capsys, grid, grid.parent / "deep")
    assert "deep" in "".join(both)
    assert "3 days ago" in " ".join(both)


def test_long_names_are_folded(make_sweep: Any, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_sweep([{"a": 1}], lambda s, step: 1.0, name="n" * 90, metric="m" * 40)
    lines = shown(capsys, folder.parent)
    assert sum(line.count("n") for line in lines) >= 90


def test_running_sweep_and_tags_are_told(grid: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second, *_ = read_sweep(grid).trials
    write_tags(first.directory, ["good", "paper"])
    write_tags(second.directory, ["good"])
    with locked(lock_path(grid), ""):
        text = " ".join(shown(capsys, grid.parent))
    assert "a command runs it" in text
    assert "good (2)" in text
    assert "a command runs it" not in " ".join(shown(capsys, grid.parent))


def test_damaged_sweep_is_told_of_and_the_others_are_listed(
    grid: Path,
    make_sweep: Any,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    bad = make_sweep([], lambda s, step: 0.0, name="bad")
    (bad / "sweep.json").write_text("{")
    assert len(shown(capsys, grid.parent)) == 2
    assert "is damaged" in caplog.text


@pytest.mark.parametrize(
    ("root", "sentence"),
    [("nowhere", "nowhere does not exist"), ("s3://a:b@c/d", "s3://***@c/d is a URL")],
)
def test_place_without_sweeps_is_told(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    root: str,
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "no sweep below" in shown(capsys, ".")[0]
    with pytest.raises(SystemExit):
        main([root])
    assert capsys.readouterr().err.startswith(f"error: {sentence}")
