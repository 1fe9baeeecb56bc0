"""Sweeps as pandas frames, for notebooks: `sweeps.load("outputs/layer_grid")`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from sweeps.analysis.comparison import axes_of, read_sweeps, unscored_trials
from sweeps.analysis.ranking import ScoredTrial
from sweeps.labels import MISSING, are_numbers, parse_number
from sweeps.naming import RunFilter
from sweeps.store.metrics import metric_tags, read_metrics

POINT = ("trial", "step", "wall_time", "relative_time", "tag", "value")


@dataclass(frozen=True)
class Frames:
    """One sweep, or several, as two tables; with several, both have a column `sweep` first."""

    trials: pd.DataFrame
    """One row a trial, by name: trial, status, a column an axis (its key in full; numbers where
    all labels are), step, total_steps, seconds, `best/<metric>`, `best/step`, the last value of
    each tag, error, directory, command."""
    metrics: pd.DataFrame
    """One row a value: trial, step, wall_time (seconds since 1970), relative_time (seconds since
    the trial's first report, pauses before a resume included), tag, value (NaN and infinite ones
    too)."""


def load(*folders: str | Path, filter: str | None = None) -> Frames:
    """Read sweeps.

    Args:
      folders: the sweeps'.
      filter: regular expression, found anywhere in a run's name, case ignored, as in
        TensorBoard's run box; the name is the trial's, `<sweep>/<trial>` with several sweeps.

    Raises:
      UserError: a folder holds no sweep, or the filter is no regular expression.
    """
    if not folders:
        raise TypeError("load takes at least one folder")
    matches = RunFilter(filter)
    sweeps = read_sweeps(folders)
    scored = [one for one in unscored_trials(sweeps) if matches(one.name)]
    several = len(sweeps) > 1
    bests = dict.fromkeys(f"best/{sweep.metric}" for sweep in sweeps)
    return Frames(
        _trials(scored, axes_of(sweeps), list(bests), several),
        _metrics(scored, several),
    )


def _trials(
    scored: Sequence[ScoredTrial], axes: Sequence[str], bests: Sequence[str], several: bool
) -> pd.DataFrame:
    tags = dict.fromkeys(tag for one in scored for tag in one.trial.metrics)
    columns = ["trial", "status", *axes, "step", "total_steps", "seconds", *bests, "best/step"]
    columns = [*["sweep"][:several], *columns, *tags, "error", "directory", "command"]
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
        "status": trial.status,
        "step": trial.step,
        "total_steps": trial.total_steps,
        "seconds": trial.seconds,
        "error": trial.error,
        "directory": str(trial.directory),
        "command": trial.command,
    }
    if trial.best is not None:
        known |= {f"best/{trial.best['metric']}": trial.best["value"]}
        known |= {"best/step": trial.best["step"]}
    return {**known, **trial.metrics}


def _column(labels: Sequence[str]) -> pd.Series:
    """Whole numbers stay whole; a label that is not there is missing."""
    if not are_numbers(labels):
        return pd.Series([None if label == MISSING else label for label in labels], dtype="str")
    values = pd.Series([parse_number(label) for label in labels], dtype="float64")
    whole = all(label.lstrip("+-").isdigit() for label in labels)
    return values.astype("int64") if whole else values


def _metrics(scored: Sequence[ScoredTrial], several: bool) -> pd.DataFrame:
    columns: dict[str, list[Any]] = {name: [] for name in ("sweep", *POINT)}
    for one in scored:
        rows = read_metrics(one.trial.directory / "metrics.csv")
        for row in rows:
            tags = metric_tags([row])
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
