"""A trial's metrics as a table: `metrics.csv`."""

import csv
import io
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from sweeps.io.atomic import cannot_write, write_fully, write_text
from sweeps.io.retry import warn_once
from sweeps.store.format import MOST

METRICS_FILE = "metrics.csv"

Row = Mapping[str, float]
"""One report: tag -> value, and the columns of `INDEX_COLUMNS`."""

INDEX_COLUMNS = ("step", "wall_time")
"""Columns that are no metrics: the update step, and seconds since 1970."""


class MetricsTable:
    """`metrics.csv`: one row a report; columns step, wall_time and the tags in order of arrival.

    A cell is empty where a report did not carry the tag. Numbers stand in their shortest exact
    form, `nan` and `inf` included.
    """

    def __init__(self, path: Path, keep_until: int) -> None:
        """Open the table for writing.

        Args:
          path: the file; it is made where missing.
          keep_until: last step whose rows stay; those after it are dropped.
        """
        self.path = path
        rows = [row for row in read_metrics(path) if row["step"] <= keep_until]
        self.kept = rows
        self._tags = [*INDEX_COLUMNS, *metric_tags(rows)]
        self._rewrite(rows)

    def write(self, step: int, wall_time: float, metrics: Mapping[str, float]) -> None:
        """Append a row; a tag seen for the first time adds a column."""
        row = {"step": step, "wall_time": wall_time, **metrics}
        if new := [tag for tag in metrics if tag not in self._tags]:
            self.close()
            self._tags += new
            self._rewrite([*read_metrics(self.path), row])
            return
        write_fully(self._file, _lines(self._tags, [row]).encode(), self.path)

    def close(self) -> None:
        """Close the file; there is nothing left to write."""
        self._file.close()

    def _rewrite(self, rows: Sequence[Row]) -> None:
        write_text(self.path, _table(self._tags, rows), durable=bool(rows))
        try:
            self._file = self.path.open("ab", buffering=0)
        except OSError as error:
            raise cannot_write(self.path, error) from error


def read_metrics(path: Path) -> list[dict[str, float]]:
    """Read a metrics table's whole rows; a last line that a killed process left half is skipped.

    Rows that are damaged are skipped, too, with a word on the log.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    rows, damaged = _read_rows(text[: text.rfind("\n") + 1])
    if damaged:
        warn_once(f"{path} is damaged: {damaged} lines of it cannot be read.")
    return rows


def looks_whole(path: Path, until: int = 0, tags: Collection[str] = ()) -> bool:
    """Return whether a table is undamaged, as far as its form shows.

    No number is parsed, so that a sweep can look at all of its trials.

    Args:
      path: the file.
      until: step to which it comes at least.
      tags: metrics that have a column.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return until <= 0 and not tags
    head, _, body = data.partition(b"\n")
    if not data.endswith(b"\n") or not head.startswith(b"step,wall_time"):
        return False
    try:
        columns = next(csv.reader([head.decode("utf-8")]))
    except (UnicodeDecodeError, csv.Error):
        return False
    lines = body.count(b"\n")
    if body.translate(None, _NUMBER_BYTES) or body.count(b",") != lines * (len(columns) - 1):
        return False
    last = body[body.rfind(b"\n", 0, -1) + 1 :].partition(b",")[0] if lines else b"0"
    return last.isdigit() and int(last) >= until and set(tags) <= set(columns)


_NUMBER_BYTES = b"0123456789.,-+einfa\n"
"""All that numbers, `nan` and `inf`, and a table of them, are written with."""


def write_metrics(path: Path, rows: Iterable[Row]) -> None:
    """Replace a metrics table.

    Raises:
      UserError: it cannot be written.
    """
    known = list(rows)
    write_text(path, _table([*INDEX_COLUMNS, *metric_tags(known)], known))


def metric_tags(rows: Iterable[Row]) -> list[str]:
    """Return the tags of all metrics of a table, in the order of their first report."""
    tags = dict.fromkeys(tag for row in rows for tag in row)
    return [tag for tag in tags if tag not in INDEX_COLUMNS]


def merge_steps(rows: Iterable[Row]) -> dict[int, dict[str, float]]:
    """Return step -> all values that were reported at it, the last one where a tag came twice."""
    merged: dict[int, dict[str, float]] = {}
    for row in rows:
        merged.setdefault(int(row["step"]), {}).update(row)
    return merged


def _read_rows(text: str) -> tuple[list[dict[str, float]], int]:
    """Return the rows that can be read, and the number of lines that cannot."""
    lines = _cells(text)
    tags = next(lines, None)
    if tags is None:  # empty
        return [], 0
    if tuple(tags[:2]) != INDEX_COLUMNS or len({*tags}) != len(tags):
        return [], 1 + sum(1 for _ in lines)
    rows: list[dict[str, float]] = []
    damaged = 0
    for cells in lines:
        row = None
        if len(cells) == len(tags):
            with suppress(ValueError):
                row = _row(tags, cells)
        if row is None:
            damaged += 1
        else:
            rows.append(row)
    return rows, damaged


def _row(tags: Sequence[str], cells: Sequence[str]) -> dict[str, float]:
    """Return a row's numbers.

    Raises:
      ValueError: a cell is none, or the step is no count.
    """
    step, wall_time = int(cells[0]), float(cells[1])
    if not (0 <= step < MOST and math.isfinite(wall_time)):
        raise ValueError(cells)
    row = {tag: float(cell) for tag, cell in zip(tags, cells, strict=True) if cell}
    return {**row, "step": step}


def _cells(text: str) -> Iterator[list[str]]:
    """Yield the cells of each line; none where the line cannot be cut."""
    lines = csv.reader(io.StringIO(text))
    while True:
        try:
            yield next(lines)
        except StopIteration:
            return
        except csv.Error:
            yield []


def _table(tags: Sequence[str], rows: Sequence[Row]) -> str:
    return ",".join(map(_quote, tags)) + "\n" + _lines(tags, rows)


def _lines(tags: Sequence[str], rows: Sequence[Row]) -> str:
    return "".join(
        ",".join(repr(row[tag]) if tag in row else "" for tag in tags) + "\n" for row in rows
    )


def _quote(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if set(cell) & set(',"\n') else cell
