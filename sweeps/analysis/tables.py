"""Tables of trials for the terminal."""

from collections.abc import Iterable, Sequence

from rich.table import Table
from rich.text import Text

from sweeps.analysis.comparison import Comparison
from sweeps.analysis.ranking import ScoredTrial
from sweeps.analysis.replicates import group_replicates
from sweeps.io.console import format_number, make_table
from sweeps.naming import short_keys
from sweeps.store import TrialStatus

STATUS_COLOURS = {
    TrialStatus.FINISHED: "green",
    TrialStatus.STOPPED: "cyan",
    TrialStatus.DIVERGED: "yellow",
    TrialStatus.INTERRUPTED: "magenta",
    TrialStatus.FAILED: "red",
}

FRONT = "front"
"""Mark of a trial on the Pareto front, in the column `Pareto`."""


def ranking_table(comparison: Comparison, top: int) -> Table:
    """Return a table of the best trials, a row each.

    With several objectives it has their values at the step of the best value, and marks the Pareto
    front.
    """
    table = make_table("#", *_setting_heads(comparison, comparison.axes))
    others = [one.tag for one in comparison.objectives]
    for name in (f"best {comparison.metric}", "at step", *others):
        table.add_column(name, justify="right")
    if others:
        table.add_column("Pareto")
    table.add_column("status")
    table.add_column("seconds", justify="right")
    table.add_column("id")
    if has_tags := any(one.trial.tags for one in comparison.trials):
        table.add_column("tags")
    for position, one in enumerate(comparison.trials[:top], start=1):
        table.add_row(
            str(position),
            *_setting_cells(comparison, one.sweep, one.settings.values()),
            format_number(one.best),
            "" if one.step is None else str(one.step),
            *(format_number(value) for value in one.others),
            *([FRONT if one.on_front else ""] if others else []),
            _status(one),
            f"{one.trial.seconds:.1f}",
            one.trial.directory.name.rpartition("id=")[2],
            *[", ".join(one.trial.tags)][:has_tags],
        )
    return table


def replicate_table(comparison: Comparison, top: int) -> Table:
    """Return a table of the best settings, a row each, with the mean over their replicates."""
    assert comparison.replicate
    axes = [axis for axis in comparison.axes if axis != comparison.replicate]
    table = make_table(*_setting_heads(comparison, axes), "mean", "deviation", "finished")
    for group in group_replicates(comparison.trials, comparison.replicate, comparison.mode)[:top]:
        table.add_row(
            *_setting_cells(comparison, group.sweep, group.settings.values()),
            format_number(group.mean),
            format_number(group.deviation, 3),
            f"{group.n} of {group.trials}",
        )
    return table


def _setting_heads(comparison: Comparison, axes: Sequence[str]) -> list[str]:
    full = dict(zip(comparison.axes, short_keys(comparison.axes), strict=True))
    return [*["sweep"][: len(comparison.sweeps) > 1], *(full[axis] for axis in axes)]


def _setting_cells(comparison: Comparison, sweep: str, labels: Iterable[str]) -> list[str]:
    return [*[sweep][: len(comparison.sweeps) > 1], *labels]


def _status(one: ScoredTrial) -> Text:
    trial, words = one.trial, one.trial.status.value
    if trial.status == TrialStatus.STOPPED and trial.error:
        words += f" {trial.error}"
    elif trial.status == TrialStatus.DIVERGED:
        words += f" at step {trial.step}"
    return Text(words, style=STATUS_COLOURS.get(trial.status, ""))
