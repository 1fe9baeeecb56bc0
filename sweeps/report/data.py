"""Data of a report's page: a comparison as plain values that JSON can hold."""

import math
import time
from collections.abc import Sequence
from typing import Any

from sweeps.analysis.comparison import Comparison
from sweeps.analysis.importance import Importance
from sweeps.analysis.ranking import ScoredTrial
from sweeps.analysis.significance import chance_text
from sweeps.analysis.tables import texts_of
from sweeps.analysis.value_texts import HASHED, ValueTexts, plain_text
from sweeps.labels import MISSING, are_numbers, label_ranges, sort_labels
from sweeps.naming import label, short_keys
from sweeps.store import Sweep, TrialStatus, read_metrics
from sweeps.store.metrics import Row, metric_tags

MAX_POINTS = 500
"""Most points of a curve."""
MIN_POINTS = 20
"""Points that a curve keeps even on a page with very many curves."""
MAX_PAGE_POINTS = 1_000_000
"""Most points of a page, which then has some ten megabytes."""


def page_data(
    comparison: Comparison, shares: Importance, live: float | None = None
) -> dict[str, Any]:
    """Return everything that the page shows, with None for NaN and infinities.

    Args:
      comparison: the ranked trials.
      shares: importance of the axes.
      live: seconds after which an open page reads its file again; None: it does not.
    """
    tables = [read_metrics(one.trial.directory / "metrics.csv") for one in comparison.trials]
    tags = metric_tags(row for rows in tables for row in rows)
    most = points_per_curve(len(tables) * len(tags))
    texts = texts_of(comparison.trials)
    return {
        "title": ", ".join(comparison.names),
        "metric": comparison.metric,
        "mode": comparison.mode,
        "replicate": comparison.replicate,
        "sweeps": comparison.names,
        "several": len(comparison.sweeps) > 1,
        "statuses": list(TrialStatus),
        "counted": [status for status in TrialStatus if status.is_counted],
        "objectives": [one.tag for one in comparison.objectives],
        "modes": {one.tag: one.mode for one in comparison.objectives},
        "differences": sweep_differences(comparison.sweeps, comparison.axes),
        "axes": _axes(comparison, texts),
        "tags": tags,
        "trials": [_trial(one, texts) for one in comparison.trials],
        "curves": [trial_curves(rows, tags, most) for rows in tables],
        "points": most,
        "longest": max((len(rows) for rows in tables), default=0),
        "importance": {
            "shares": list(shares.shares.items()),
            "trials": shares.trials,
            "reason": shares.reason,
            "single": shares.single,
        },
        "chance": chance_text(comparison),
        "live": live,
        "written": time.time(),
    }


def sweep_differences(sweeps: Sequence[Sweep], axes: Sequence[str]) -> dict[str, list[str]]:
    """Return the options that sweeps do not sweep over, and in which they differ.

    Args:
      sweeps: the sweeps.
      axes: keys in full of the axes of all sweeps.

    Returns:
      Dotted key -> a label for each sweep, `MISSING` where it lacks the option.
    """
    keys = dict.fromkeys(key for sweep in sweeps for key in sweep.common_config if key not in axes)
    found = {
        key: [
            _text(sweep.common_config[key]) if key in sweep.common_config else MISSING
            for sweep in sweeps
        ]
        for key in keys
    }
    return {key: labels for key, labels in found.items() if len(set(labels)) > 1}


def _text(value: Any) -> str:
    name = label(value)
    return plain_text(value) if HASHED.search(name) else name


def points_per_curve(curves: int) -> int:
    """Return the most points of each curve of a page with this many curves."""
    return min(MAX_POINTS, max(MIN_POINTS, MAX_PAGE_POINTS // max(1, curves)))


def trial_curves(rows: Sequence[Row], tags: Sequence[str], most: int) -> dict[str, Any]:
    """Return the curves of a trial, each with at most `most` points.

    Tags that were reported together share a *clock*: their steps, and the seconds since the first
    report.

    Args:
      rows: the trial's metrics.
      tags: tags of all trials of the page.
      most: most points of a curve.

    Returns:
      `start`: wall time of the first report; `clocks`; `values`: index into `tags` -> index into
      `clocks`, and the tag's values.
    """
    start = rows[0]["wall_time"] if rows else 0.0
    clocks: list[dict[str, list[float]]] = []
    clock_of: dict[tuple[float, ...], int] = {}
    values: dict[int, tuple[int, list[float | None]]] = {}
    for index, tag in enumerate(tags):
        points = thin([row for row in rows if tag in row], most)
        if not points:
            continue
        steps = tuple(row["step"] for row in points)
        if steps not in clock_of:
            clock_of[steps] = len(clocks)
            seconds = [round(row["wall_time"] - start, 2) for row in points]
            clocks.append({"steps": list(steps), "seconds": seconds})
        values[index] = (clock_of[steps], [_finite(row[tag]) for row in points])
    return {"start": round(start, 2), "clocks": clocks, "values": values}


def thin(points: Sequence[Row], most: int) -> list[Row]:
    """Return at most `most` points, evenly spaced, with the first and the last among them."""
    if len(points) <= most:
        return list(points)
    return [points[round(index * (len(points) - 1) / (most - 1))] for index in range(most)]


def _axes(comparison: Comparison, texts: ValueTexts) -> list[dict[str, Any]]:
    """The axes; where a label is a hash of a value, the page shows the value."""
    found = []
    for key, name in zip(comparison.axes, short_keys(comparison.axes), strict=True):
        labels = [one.settings[key] for one in comparison.trials]
        parts = [
            [texts(key, part), [texts(key, member) for member in members]]
            for part, members in label_ranges(labels).items()
        ]
        ordered = sort_labels(labels)
        shown = [texts(key, one) for one in ordered]
        data = {"labels": shown, "numeric": are_numbers(ordered), "ranges": parts}
        found.append({"key": key, "name": name, **data})
    return found


def _trial(one: ScoredTrial, texts: ValueTexts) -> dict[str, Any]:
    trial = one.trial
    return {
        "name": one.name,
        "id": trial.directory.name.rpartition("id=")[2],
        "sweep": one.sweep,
        "status": trial.status,
        "completed": trial.completed,
        "labels": list(trial.tags),
        "settings": [texts(axis, text) for axis, text in one.settings.items()],
        "best": _finite(one.best),
        "at": one.step,
        "others": [_finite(value) for value in one.others],
        "front": one.on_front,
        "step": trial.step,
        "total": trial.total_steps,
        "seconds": round(trial.seconds, 1),
        "last": {tag: _finite(value) for tag, value in trial.metrics.items()},
        "directory": str(trial.directory),
        "command": trial.train_command,
        "error": trial.error,
    }


def _finite(value: float | None) -> float | None:
    """Return a value with six digits; None for NaN and infinities, which JSON lacks."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.6g}")
