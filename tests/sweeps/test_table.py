"""The ranked table."""

import csv
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console

from sweeps.store import Trial
from sweeps.table import Row, print_results, rank, write_results


def row(name: str, status: str, loss: float | None = None, **more: Any) -> Row:
    best = None if loss is None else {"metric": "valid/loss", "value": loss, "step": 10}
    metrics = {} if loss is None else {"valid/loss": loss + 1}
    trial = Trial(Path(f"out/grid/{name}"), name, status, best=best, metrics=metrics, **more)
    return Row({"model.rnn_size": "64", "optimizer": name}, ("model.rnn_size=64", "a='b c'"), trial)


ROWS = [
    row("id=a", "failed", 0.1, error="ValueError: x"),
    row("id=b", "interrupted"),
    row("id=c", "finished", 3.0, seconds=12.34),
    row("id=d", "diverged", 0.2),
    row("id=e", "finished", 2.0),
    row("id=f", "stopped", 5.0),
    row("id=g", "finished"),
]


def test_status_ranks_before_the_metric() -> None:
    ranked = rank(ROWS, "valid/loss", "min")
    assert [row.trial.fingerprint[-1] for row in ranked] == list("ecgfdba")


def test_maximised_metric_ranks_the_largest_first() -> None:
    ranked = rank(ROWS, "valid/loss", "max")
    assert [row.trial.fingerprint[-1] for row in ranked] == list("cegfdba")


def test_results_have_a_row_a_trial_and_a_column_a_setting(tmp_path: Path) -> None:
    write_results(tmp_path / "results.csv", ROWS, "valid/loss")
    with (tmp_path / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(ROWS)
    assert rows[2] == {
        "trial": "id=c",
        "model.rnn_size": "64",
        "optimizer": "id=c",
        "status": "finished",
        "valid/loss": "4.0",
        "best/valid/loss": "3.0",
        "seconds": "12.3",
        "directory": "out/grid/id=c",
    }
    assert rows[1]["best/valid/loss"] == ""


def test_terminal_shows_how_to_go_on() -> None:
    text = StringIO()
    ranked = rank(ROWS, "valid/loss", "min")
    print_results(
        Console(file=text, width=100), Path("out/grid"), ranked, "valid/loss", "python -m app.train"
    )
    lines = text.getvalue().splitlines()
    assert "failed: ValueError: x (out/grid/id=a/error.txt)" in lines
    assert "again alone: python -m app.train model.rnn_size=64 'a='\"'\"'b c'\"'\"''" in lines
    assert "look at it:  tensorboard --logdir out/grid" in lines
