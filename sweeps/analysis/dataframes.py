"""Results of sweeps for notebooks: `sweeps.load("outputs/layer_grid")`."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from sweeps.analysis.comparison import (
    Comparison,
    axes_of,
    rank_sweeps,
    read_sweeps,
    sweep_names,
    unscored_trials,
)
from sweeps.analysis.ranking import ScoredTrial
from sweeps.analysis.tables import FRONT, WIDTHS, texts_of
from sweeps.analysis.value_texts import ValueTexts
from sweeps.errors import UserError
from sweeps.io.console import count_text, format_number
from sweeps.labels import MISSING, are_numbers, parse_number
from sweeps.naming import RunFilter, short_keys
from sweeps.store import Sweep, TrialStatus, read_config, read_metrics
from sweeps.store.metrics import INDEX_COLUMNS
from sweeps.store.trial import CHECKPOINTS

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

METRIC_COLUMNS = ("trial", "step", "wall_time", "relative_time", "tag", "value")
"""Columns of `Results.metrics`."""


@dataclass(frozen=True)
class BestTrial:
    """The best finished trial of the loaded sweeps."""

    directory: Path
    """Folder of the trial."""
    name: str
    """Name of its run: the trial's; with several sweeps `<sweep>/<trial>`."""
    settings: dict[str, str]
    """Axis in full -> label."""
    metric: str
    """Tag that trials are ranked by."""
    value: float
    """Its best value."""
    step: int
    """Update step of the best value."""
    status: str
    """How the trial stands: `finished`."""

    @cached_property
    def config(self) -> dict[str, Any]:
        """The resolved configuration, read when it is first asked for.

        Raises:
          UserError: it is missing or damaged.
        """
        return read_config(self.directory)

    @property
    def checkpoints(self) -> Path:
        """Folder of the trial's checkpoints, which need not exist."""
        return self.directory / CHECKPOINTS


class Results:
    """One sweep or several: two data frames, the best trial, and figures."""

    trials: pd.DataFrame
    """One row for each trial, ordered by name; with several sweeps it begins with a column `sweep`.

    Columns: trial, status, one for each axis (its key in full; numbers where all labels are
    numbers), step, total_steps, seconds, `best/<metric>`, `best/step`, the last value of each tag,
    error, directory, command; and tags, separated by commas, where any trial has one.
    """
    metrics: pd.DataFrame
    """One row for each reported value; with several sweeps it begins with a column `sweep`.

    Columns: trial, step, wall_time (seconds since 1970), relative_time (seconds since the trial's
    first report, pauses before a resume included), tag, value (NaN and infinities, too).
    """

    def __init__(self, sweeps: Sequence[Sweep], filter: str | None = None) -> None:
        """Make the frames of sweeps.

        Args:
          sweeps: at least one.
          filter: regular expression that a run's name must match (see `RunFilter`); None: all.

        Raises:
          UserError: the filter is no regular expression.
        """
        matches = RunFilter(filter)
        self._sweeps, self._filter = tuple(sweeps), filter
        scored = [one for one in unscored_trials(sweeps) if matches(one.name)]
        several = len(sweeps) > 1
        bests = dict.fromkeys(f"best/{sweep.metric}" for sweep in sweeps)
        self.trials = _trials(scored, axes_of(sweeps), list(bests), several)
        self.metrics = _metrics(scored, several)

    @cached_property
    def comparison(self) -> Comparison:
        """The trials ranked by the sweeps' metric.

        Raises:
          UserError: the sweeps are ranked by different metrics.
        """
        if len(metrics := {sweep.metric: None for sweep in self._sweeps}) > 1:
            raise UserError(
                f"the sweeps are ranked by different metrics ({', '.join(metrics)}); load each "
                "alone, or give a tag to plot_curves."
            )
        return rank_sweeps(self._sweeps, self._filter)

    @property
    def best(self) -> BestTrial | None:
        """The best finished trial; None where no trial has finished with a value of the metric.

        Raises:
          UserError: the sweeps are ranked by different metrics.
        """
        found = self.comparison.best_trial
        if found is None or found.best is None or found.step is None:
            return None
        return BestTrial(
            directory=found.trial.directory,
            name=found.name,
            settings=dict(found.settings),
            metric=self.comparison.metric,
            value=found.best,
            step=found.step,
            status=found.trial.status.value,
        )

    def plot_curves(self, tag: str | None = None) -> "Figure":
        """Plot a metric over the steps, a line for each trial.

        Trials that differ in the replicate axis only have one colour. An axis of the figure is
        logarithmic where the numbers are positive and span two powers of ten.

        Args:
          tag: of the metric; None: the one that ranks the trials.

        Returns:
          A `plotly.graph_objects.Figure`.

        Raises:
          UserError: trials have reported, and none this metric.
        """
        from sweeps.analysis.plots import curves

        if tag is None:
            return curves(self.comparison, self.comparison.metric)
        return curves(rank_sweeps(self._sweeps, self._filter, tag), tag)

    def plot_parallel(self) -> "Figure":
        """Plot each trial as a line over the axes in which trials differ, and the best value.

        Returns:
          A `plotly.graph_objects.Figure`.
        """
        from sweeps.analysis.plots import parallel

        return parallel(self.comparison)

    def plot_slice(self, *axes: str) -> "Figure":
        """Plot the best value of each trial against its value of an axis, a panel for each axis.

        A trial without a finite value, as one that diverged, is a cross at the edge of the worst
        values.

        Args:
          *axes: keys in full, or their last parts; none: all axes in which trials differ.

        Returns:
          A `plotly.graph_objects.Figure`.

        Raises:
          UserError: there is no such axis.
        """
        from sweeps.analysis.plots import slices

        return slices(self.comparison, axes)

    def plot_history(self) -> "Figure":
        """Plot the best values of trials in the order in which they ended, and the best so far.

        Returns:
          A `plotly.graph_objects.Figure`.
        """
        from sweeps.analysis.plots import history

        return history(self.comparison)

    def plot_heatmap(self, x: str = "", y: str = "") -> "Figure":
        """Plot the mean best value over two axes, of finished and stopped trials.

        Args:
          x: key of an axis in full, or its last part; empty: the most important axis.
          y: key of another axis; empty: the most important one that is left.

        Returns:
          A `plotly.graph_objects.Figure`.

        Raises:
          UserError: there is no such axis.
        """
        from sweeps.analysis.plots import heatmap

        return heatmap(self.comparison, x, y)

    def plot_importance(self) -> "Figure":
        """Plot the share of the metric's variance that each axis explains, by Optuna's fANOVA.

        Returns:
          A `plotly.graph_objects.Figure`; its title says why there are no bars, where there are
          none.
        """
        from sweeps.analysis.plots import importance

        return importance(self.comparison)

    def __repr__(self) -> str:
        names = ", ".join(sweep_names(self._sweeps))
        return f"Results({names}: {count_text(len(self.trials), 'trial')})"

    def _repr_html_(self) -> str:
        """Show the ranked table in a notebook: the best trials."""
        try:
            return ranked_html(self.comparison, TOP)
        except UserError as error:  # of sweeps without a common metric
            return f"<p>{escape(repr(self))}: {escape(str(error))}</p>"


TOP = 10
"""Trials in the table that a notebook shows."""


def load(*folders: str | Path, filter: str | None = None) -> Results:
    """Read sweeps for a notebook.

    Args:
      *folders: folders of sweeps, at least one.
      filter: regular expression that is found anywhere in a run's name, case ignored, as in
        TensorBoard's run box. A run's name is the trial's; with several sweeps it is
        `<sweep>/<trial>`. None: all runs.

    Returns:
      Their trials and metrics as data frames, the best trial, and figures of both.

    Raises:
      UserError: a folder holds no sweep, or the filter is no regular expression.
      TypeError: no folder is given.
    """
    if not folders:
        raise TypeError("load takes at least one folder")
    return Results(read_sweeps(folders), filter)


def ranked_html(comparison: Comparison, top: int) -> str:
    """Return the best trials as an HTML table."""
    several = len(comparison.sweeps) > 1
    heads = [*["sweep"][:several], *short_keys(comparison.axes)]
    others = [one.tag for one in comparison.objectives]
    texts = texts_of(comparison.trials)
    heads += [f"best {comparison.metric}", "at step", *others, *["Pareto"][: len(others)], "status"]
    rows = []
    for one in comparison.trials[:top]:
        front = [FRONT if one.on_front else ""] if others else []
        best = [format_number(one.best), "" if one.step is None else str(one.step)]
        values = [format_number(value) for value in one.others]
        place = [one.sweep][:several]
        settings = [_cell(texts, axis, name) for axis, name in one.settings.items()]
        cells = [*best, *values, *front, one.trial.status.words]
        rows.append([*map(_td, place), *settings, *map(_td, cells)])
    rest = len(comparison.trials) - top
    more = f"<p>and {rest} more in <code>.trials</code></p>" if rest > 0 else ""
    note = f"<p>{escape(comparison.unranked)}</p>" if comparison.unranked else ""
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    title = escape(", ".join(comparison.names))
    statuses = Counter(one.trial.status for one in comparison.trials)
    ended = ", ".join(f"{statuses[one]} {one.words}" for one in TrialStatus if statuses[one])
    counts = count_text(len(comparison.trials), "trial") + (f" ({ended})" if ended else "")
    return (
        f"<p><b>{title}</b>: {counts}</p><table><thead><tr>{head}</tr>"
        f"</thead><tbody>{body}</tbody></table>{more}{note}"
    )


def _td(text: str) -> str:
    return f"<td>{escape(text)}</td>"


def _cell(texts: ValueTexts, axis: str, name: str) -> str:
    """The cell of a value; of a shortened one the whole stands in its tooltip."""
    whole, short = texts(axis, name), texts(axis, name, WIDTHS[0])
    return _td(whole) if whole == short else f'<td title="{escape(whole)}">{escape(short)}</td>'


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
