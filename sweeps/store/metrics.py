"""A trial's metrics as a table: `metrics.csv`."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from sweeps.io.atomic import write_fully, write_text

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

    def _rewrite(self, rows: list[dict[str, float]]) -> None:
        write_text(self.path, ",".join(map(_quote, self._tags)) + "\n" + _lines(self._tags, rows))
        self._file = self.path.open("ab", buffering=0)


def read_metrics(path: Path) -> list[dict[str, float]]:
    """Read a metrics table's whole rows; a last line that a killed process left half is skipped."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    whole = text[: text.rfind("\n") + 1]
    return list(_rows(whole))


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


def _rows(text: str) -> Iterator[dict[str, float]]:
    for cells in csv.DictReader(io.StringIO(text)):
        row = {tag: float(cell) for tag, cell in cells.items() if cell}
        yield {**row, "step": int(cells["step"])}


def _lines(tags: list[str], rows: list[dict[str, float]]) -> str:
    return "".join(
        ",".join(repr(row[tag]) if tag in row else "" for tag in tags) + "\n" for row in rows
    )


def _quote(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if set(cell) & set(',"\n') else cell
