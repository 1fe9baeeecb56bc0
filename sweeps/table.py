"""Trials as tables on the terminal."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from sweeps.comparison import Comparison
from sweeps.naming import short_keys
from sweeps.ranking import Scored
from sweeps.replicates import groups

COLOURS = {
    "finished": "green",
    "stopped": "cyan",
    "diverged": "yellow",
    "interrupted": "magenta",
    "failed": "red",
}
_WIDE = Console(width=1000)


def ranked(comparison: Comparison, top: int) -> Table:
    """The best trials, a row each."""
    table = plain("#", *_setting_heads(comparison, comparison.axes))
    for name in (f"best {comparison.metric}", "at step"):
        table.add_column(name, justify="right")
    table.add_column("status")
    table.add_column("seconds", justify="right")
    table.add_column("id")
    for place, one in enumerate(comparison.trials[:top], start=1):
        table.add_row(
            str(place),
            *_setting_cells(comparison, one.sweep, one.settings.values()),
            short(one.best),
            "" if one.step is None else str(one.step),
            _status(one),
            f"{one.trial.seconds:.1f}",
            one.trial.directory.name.rpartition("id=")[2],
        )
    return table


def replicates(comparison: Comparison, top: int) -> Table:
    """The best settings, a row each: mean, deviation and number of their replicates."""
    assert comparison.replicate
    axes = [axis for axis in comparison.axes if axis != comparison.replicate]
    table = plain(*_setting_heads(comparison, axes), "mean", "deviation", "finished")
    for group in groups(comparison.trials, comparison.replicate, comparison.mode)[:top]:
        table.add_row(
            *_setting_cells(comparison, group.sweep, group.settings.values()),
            short(group.mean),
            short(group.deviation, 3),
            f"{group.n} of {group.trials}",
        )
    return table


def _setting_heads(comparison: Comparison, axes: Sequence[str]) -> list[str]:
    full = dict(zip(comparison.axes, short_keys(comparison.axes), strict=True))
    return [*["sweep"][: len(comparison.sweeps) > 1], *(full[axis] for axis in axes)]


def _setting_cells(comparison: Comparison, sweep: str, labels: Iterable[str]) -> list[str]:
    return [*[sweep][: len(comparison.sweeps) > 1], *labels]


def plain(*heads: str) -> Table:
    """An empty table without rules; columns of words keep to the left."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for head in heads:
        table.add_column(head, justify="left" if head in ("sweep", "axis") else "right")
    return table


def _status(one: Scored) -> Text:
    trial, words = one.trial, one.trial.status
    if trial.status == "stopped" and trial.error:
        words += f" {trial.error}"
    elif trial.status == "diverged":
        words += f" at step {trial.step}"
    return Text(words, style=COLOURS.get(trial.status, ""))


def show(console: Console, table: Table) -> None:
    """Print a table whole, wherever it goes."""
    if not console.is_terminal:  # a pipe has no width: there the table takes what it needs
        console.width = max(console.width, Measurement.get(_WIDE, _WIDE.options, table).maximum)
    console.print(table)


def rest(console: Console, hidden: int, where: str) -> None:
    """Say how many rows a table leaves out, and where they are."""
    if hidden > 0:
        line(console, f"... and {hidden} more: {where}")


def line(console: Console, text: str) -> None:
    """Print a line as it is."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def short(value: float | None, digits: int = 6) -> str:
    """A number for the eye; nothing for None."""
    return "" if value is None else f"{value:.{digits}g}"
