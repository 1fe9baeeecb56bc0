"""Scores of word vectors after each epoch: for the terminal, and as a CSV file."""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from lm.config.validate import KINDS, PREFIXES
from lm.vectors.tables import KIND_NAMES as HEADINGS
from sweeps.io.atomic import write_text
from sweeps.io.console import make_table, print_line, print_table
from sweeps.store import read_metrics

MAX_ROWS = 12
"""About this many epochs are shown; the file has all of them."""


class EpochScores(NamedTuple):
    """Scores of a table of vectors at the end of an epoch."""

    vectors: str
    """The table's name."""
    epoch: float
    """Epochs of training so far."""
    scores: Mapping[str, float]
    """Scores by kind, one of `KINDS`."""


def recorded_scores(directory: Path, tables: Iterable[str]) -> list[EpochScores]:
    """Read the scores that a trial recorded of its own vectors (`log.vector_scores`).

    Empty where it recorded none.

    Args:
      directory: the trial's folder.
      tables: names of the tables wanted.
    """
    rows = read_metrics(directory / "metrics.csv")
    return [
        EpochScores(
            vectors=table,
            epoch=row["time/epoch"],
            scores={kind: row[PREFIXES[table] + kind] for kind in KINDS},
        )
        for table in tables
        for row in rows
        if all(PREFIXES[table] + kind in row for kind in KINDS)
    ]


def show_epoch_scores(console: Console, epoch_scores: Sequence[EpochScores]) -> None:
    """Show a table for each kind of question: a row for each epoch, a column for each table."""
    shown = _select_epochs(sorted({one.epoch for one in epoch_scores}))
    for kind, heading in zip(KINDS, HEADINGS, strict=True):
        print_line(console)
        print_line(console, f"{heading} after each pass", style="bold")
        print_table(console, _table(epoch_scores, kind, shown))
    if left_out := len({one.epoch for one in epoch_scores}) - len(shown):
        print_line(console, f"{left_out} more passes: --csv FILE has all of them")


def write_epoch_scores(path: Path, epoch_scores: Iterable[EpochScores]) -> None:
    """Write a row for each table and epoch: vectors, epoch, a score for each kind, empty for NaN.

    Raises:
      UserError: the file cannot be written.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["vectors", "epoch", *KINDS])
    for one in epoch_scores:
        scores = (one.scores.get(kind, math.nan) for kind in KINDS)
        cells = ("" if math.isnan(score) else f"{score:.6g}" for score in scores)
        table.writerow([one.vectors, f"{one.epoch:g}", *cells])
    write_text(path, text.getvalue())


def _select_epochs(epochs: Sequence[float]) -> list[float]:
    """Choose about `MAX_ROWS` epochs: the first, the last, and fewer between the later ones."""
    last = len(epochs) - 1
    if last < MAX_ROWS:
        return list(epochs)
    places = {round((last + 1) ** (i / (MAX_ROWS - 1))) - 1 for i in range(MAX_ROWS)}
    return [epochs[place] for place in sorted(places)]


def _table(epoch_scores: Sequence[EpochScores], kind: str, epochs: Iterable[float]) -> Table:
    names = list(dict.fromkeys(one.vectors for one in epoch_scores))
    found = {(one.vectors, one.epoch): one.scores.get(kind, math.nan) for one in epoch_scores}
    table = make_table("pass", *names)
    for epoch in epochs:
        scores = (found.get((name, epoch), math.nan) for name in names)
        table.add_row(f"{epoch:g}", *(_cell(kind, score) for score in scores))
    return table


def _cell(kind: str, score: float) -> str:
    if math.isnan(score):
        return ""
    return f"{score:.1%}" if kind == "analogies" else f"{score:.3f}"
