"""Trials -> the ranked table: `results.csv`, and its short form on the terminal."""

import csv
import io
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from sweeps.files import write_text
from sweeps.space import short_keys
from sweeps.store import Trial

_ORDER = ("finished", "stopped", "diverged", "interrupted", "failed")
_WIDE = Console(width=1000)
_COLOURS = {"finished": "green", "diverged": "yellow", "failed": "red"}


@dataclass(frozen=True)
class Row:
    """A trial beside its settings."""

    settings: Mapping[str, str]
    """Axis key in full -> label."""
    overrides: tuple[str, ...]
    trial: Trial


def rank(rows: Sequence[Row], metric: str, mode: str) -> list[Row]:
    """Finished trials by their best value of the metric, then the others by status.

    A crashed trial may have had the best value of all: so status comes first.
    """
    return sorted(rows, key=lambda row: (_status_rank(row), _score(row, metric, mode)))


def write_results(path: Path, rows: Sequence[Row], metric: str) -> None:
    """Write `results.csv`: trial, axes, status, final metrics, best, seconds, directory."""
    axes = list(rows[0].settings) if rows else []
    tags = list(dict.fromkeys(tag for row in rows for tag in row.trial.metrics))
    columns = ["trial", *axes, "status", *tags, f"best/{metric}", "seconds", "directory"]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    for row in rows:
        trial = row.trial
        metrics = [_number(trial.metrics.get(tag)) for tag in tags]
        top = _number(trial.best_of(metric)[0])
        settings = [row.settings[key] for key in axes]
        known = [trial.directory.name, *settings, trial.status, *metrics, top]
        table.writerow([*known, f"{trial.seconds:.1f}", str(trial.directory)])
    write_text(path, text.getvalue())


def print_results(
    console: Console, folder: Path, rows: Sequence[Row], metric: str, reproduce: str
) -> None:
    """Print the ranked table, then where everything is and how to go on.

    Args:
      folder: the sweep's.
      rows: at least one, in rank.
      metric: by which they are ranked.
      reproduce: command that runs a trial alone, given its overrides.
    """
    console.print()
    table = _table(rows, metric)
    if not console.is_terminal:  # a pipe has no width: there the table takes what it needs
        console.width = max(console.width, Measurement.get(_WIDE, _WIDE.options, table).maximum)
    console.print(table)
    console.print()
    for row in rows:
        if row.trial.status == "failed":
            where = row.trial.directory / "error.txt"
            _line(console, f"failed: {row.trial.error} ({where})")
    _line(console, f"results:     {folder / 'results.csv'}")
    if rows[0].trial.status == "finished":
        command = f"{reproduce} {shlex.join(rows[0].overrides)}"
        _line(console, f"best trial:  {rows[0].trial.directory}")
        _line(console, f"again alone: {command}")
    _line(console, f"look at it:  tensorboard --logdir {shlex.quote(str(folder))}")


def _table(rows: Sequence[Row], metric: str) -> Table:
    settings = short_keys(list(rows[0].settings))
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("#", justify="right")
    for name in settings:
        table.add_column(name, justify="right")
    for name in (f"best {metric}", "at step"):
        table.add_column(name, justify="right")
    table.add_column("status")
    table.add_column("seconds", justify="right")
    table.add_column("id")
    for place, row in enumerate(rows, start=1):
        table.add_row(str(place), *row.settings.values(), *_result_cells(row.trial, metric))
    return table


def _result_cells(trial: Trial, metric: str) -> list[str | Text]:
    top, step = trial.best_of(metric)
    at = "" if step is None else str(step)
    status = Text(trial.status, style=_COLOURS.get(trial.status, ""))
    short_id = trial.directory.name.rpartition("id=")[2]
    return [_short(top), at, status, f"{trial.seconds:.1f}", short_id]


def _line(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _status_rank(row: Row) -> int:
    status = row.trial.status
    return _ORDER.index(status) if status in _ORDER else len(_ORDER)


def _score(row: Row, metric: str, mode: str) -> float:
    value, _ = row.trial.best_of(metric)
    if value is None:
        return math.inf
    return value if mode == "min" else -value


def _number(value: float | None) -> str:
    return "" if value is None else repr(value)


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
