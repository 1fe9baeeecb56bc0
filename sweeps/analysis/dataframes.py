"""Sweeps as pandas data frames, for notebooks: `sweeps.load("outputs/layer_grid")`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from sweeps.analysis.comparison import axes_of, read_sweeps, unscored_trials
from sweeps.analysis.ranking import ScoredTrial
from sweeps.labels import MISSING, are_numbers, parse_number
from sweeps.naming import RunFilter
from sweeps.store import read_metrics
from sweeps.store.metrics import INDEX_COLUMNS

METRIC_COLUMNS = ("trial", "step", "wall_time", "relative_time", "tag", "value")
"""Columns of `Frames.metrics`."""


@dataclass(frozen=True)
class Frames:
    """One sweep or several as two data frames; with several, both begin with a column `sweep`."""

    trials: pd.DataFrame
    """One row for each trial, ordered by name.

    Columns: trial, status, one for each axis (its key in full; numbers where all labels are
    numbers), step, total_steps, seconds, `best/<metric>`, `best/step`, the last value of each tag,
    error, directory, command; and tags, separated by commas, where any trial has one.
    """
    metrics: pd.DataFrame
    """One row for each reported value.

    Columns: trial, step, wall_time (seconds since 1970), relative_time (seconds since the trial's
    first report, pauses before a resume included), tag, value (NaN and infinities, too).
    """


def load(*folders: str | Path, filter: str | None = None) -> Frames:
    """Read sweeps into data frames.

    Args:
      *folders: folders of sweeps, at least one.
      filter: regular expression that is found anywhere in a run's name, case ignored, as in
        TensorBoard's run box. A run's name is the trial's; with several sweeps it is
        `<sweep>/<trial>`. None: all runs.

    Raises:
      UserError: a folder holds no sweep, or the filter is no regular expression.
      TypeError: no folder is given.
    """
    if not folders:
        raise TypeError("load takes at least one folder")
    matches = RunFilter(filter)
    sweeps = read_sweeps(folders)
    scored = [one for one in unscored_trials(sweeps) if matches(one.name)]
    several = len(sweeps) > 1
    bests = dict.fromkeys(f"best/{sweep.metric}" for sweep in sweeps)
    return Frames(
        trials=_trials(scored, axes_of(sweeps), list(bests), several),
        metrics=_metrics(scored, several),
    )


def _trials(
    scored: Sequence[ScoredTrial], axes: Sequence[str], bests: Sequence[str], several: bool
) -> pd.DataFrame:
    tags = dict.fromkeys(tag for one in scored for tag in one.trial.metrics)
    columns = ["trial", "status", *axes, "step", "total_steps", "seconds", *bests, "best/step"]
    columns = [*["sweep"][:several], *columns, *tags, "error", "directory", "command"]
    columns += ["tags"][: any(one.trial.tags for one in scored)]
    frame = pd.DataFrame([_row(one) for one in scored], columns=columns)
    for axis in axes:
        labels = [one.settings[axis] for one in scored]
        frame[axis] = _column(labels)
    frame["total_steps"] = frame["total_steps"].astype("Int64")
    frame["best/step"] = frame["best/step"].astype("Int64")
    return frame


def _row(one: ScoredTrial) -> dict[str, Any]:
    trial = one.trial
    known = {
        "sweep": one.sweep,
        "trial": trial.directory.name,
        "status": trial.status.value,
        "step": trial.step,
        "total_steps": trial.total_steps,
        "seconds": trial.seconds,
        "error": trial.error,
        "directory": str(trial.directory),
        "command": trial.train_command,
        "tags": ",".join(trial.tags),
    }
    if trial.best is not None:
        known |= {f"best/{trial.best.metric}": trial.best.value}
        known |= {"best/step": trial.best.step}
    return {**known, **trial.metrics}


def _column(labels: Sequence[str]) -> pd.Series:
    """Return an axis's labels as integers, floats or texts; a missing label is a missing value."""
    if not are_numbers(labels):
        return pd.Series([None if label == MISSING else label for label in labels], dtype="str")
    values = pd.Series([parse_number(label) for label in labels], dtype="float64")
    whole = all(label.lstrip("+-").isdigit() for label in labels)
    return values.astype("int64") if whole else values


def _metrics(scored: Sequence[ScoredTrial], several: bool) -> pd.DataFrame:
    columns: dict[str, list[Any]] = {name: [] for name in ("sweep", *METRIC_COLUMNS)}
    for one in scored:
        rows = read_metrics(one.trial.directory / "metrics.csv")
        for row in rows:
            tags = [tag for tag in row if tag not in INDEX_COLUMNS]
            size = len(tags)
            columns["sweep"] += [one.sweep] * size
            columns["trial"] += [one.trial.directory.name] * size
            columns["step"] += [row["step"]] * size
            columns["wall_time"] += [row["wall_time"]] * size
            columns["relative_time"] += [row["wall_time"] - rows[0]["wall_time"]] * size
            columns["tag"] += tags
            columns["value"] += [row[tag] for tag in tags]
    if not several:
        del columns["sweep"]
    types = {"step": "int64", "tag": "str", "trial": "str", "sweep": "str"}
    return pd.DataFrame(
        {name: pd.Series(x, dtype=types.get(name, "float64")) for name, x in columns.items()}
    )
