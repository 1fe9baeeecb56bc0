"""Restoring of a trial's `metrics.csv` from its event files.

Event files hold all reports, in single precision. Most metrics are computed in it, and come back as
they were.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from sweeps.io.retry import warn
from sweeps.store import Trial, TrialStatus
from sweeps.store.metrics import METRICS_FILE, Row, looks_whole, read_metrics, write_metrics
from sweeps.tensorboard.event_file import last_intact_step, read_reports

BEST = "best/"
"""Begins the tag of a metric's best value so far, which is no metric of its own."""


def restore_damaged_metrics(trial: Trial) -> bool:
    """Make the metrics of a trial that has ended anew, if they are damaged.

    Returns:
      Whether anything was written.

    Raises:
      UserError: it cannot be written.
    """
    ended = trial.status in (TrialStatus.FINISHED, TrialStatus.STOPPED)
    until, tags = (trial.step, list(trial.metrics)) if ended else (0, [])
    path = trial.directory / METRICS_FILE
    if looks_whole(path, until, tags):
        return False
    restored = restore_metrics(trial.directory)
    if not looks_whole(path, until, tags):
        warn(f"{path} is damaged, and the event files beside it do not have all of it.")
    return restored > 0


def restore_metrics(directory: Path) -> int:
    """Add what the event files have to a trial's metrics, and return the number of rows that came.

    A row that both have stays as it is in `metrics.csv`. Nothing is written if no row comes.

    Raises:
      UserError: the file cannot be written.
    """
    path = directory / METRICS_FILE
    rows, reports = read_metrics(path), _reported(directory)
    found, came = _merge(rows, reports, sound=last_intact_step(directory))
    if came:
        write_metrics(path, found)
        warn(f"{path} was damaged; {came} rows of it are restored from the event files.")
    return came


def _reported(directory: Path) -> list[Row]:
    """Return the rows that the event files have."""
    return [
        {
            "step": step,
            "wall_time": wall_time,
            **{
                tag: value
                for tag, value in metrics.items()
                if not (tag.startswith(BEST) and tag.removeprefix(BEST) in metrics)
            },
        }
        for step, wall_time, metrics in read_reports(directory)
    ]


def _merge(rows: Sequence[Row], reports: Sequence[Row], sound: int) -> tuple[list[Row], int]:
    """Join a damaged table and the rows of event files.

    Args:
      rows: those of the table that can be read.
      reports: those of event files.
      sound: last step up to which the event files have all rows.

    Returns:
      All rows by step, and the number of those that only the event files have.
    """
    merged = dict(_numbered(reports))
    came = len(merged)
    for place, row in _numbered(rows):
        if place in merged and _agree(row, merged[place]):
            came -= 1
            merged[place] = row
        elif place not in merged and place[0] > sound:
            merged[place] = row
    return [merged[place] for place in sorted(merged)], came


def _numbered(rows: Sequence[Row]) -> Iterator[tuple[tuple[int, int], Row]]:
    """Yield each row after its step and its number among those of that step."""
    seen: Counter[int] = Counter()
    for row in rows:
        step = int(row["step"])
        yield (step, seen[step]), row
        seen[step] += 1


def _agree(row: Row, report: Row) -> bool:
    """Return whether an event holds what a row of the table does."""
    if row.keys() != report.keys() or row["wall_time"] != report["wall_time"]:
        return False
    with np.errstate(over="ignore"):
        values, recorded = (
            np.array([one[tag] for tag in row], np.float32) for one in (row, report)
        )
    return bool(np.array_equal(values, recorded, equal_nan=True))
