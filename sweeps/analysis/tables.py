"""Tables of trials for the terminal.

On a terminal a table is as wide as the terminal at most, as far as possible: long values are
shortened in the middle, headings are folded, then columns are left out, and a line says which. What
ranks is never left out, nor is a trial's id. Elsewhere, as in a pipe, tables are whole.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sweeps.analysis.comparison import Comparison
from sweeps.analysis.ranking import ScoredTrial
from sweeps.analysis.replicates import group_replicates, marginal_means
from sweeps.analysis.value_texts import ValueTexts
from sweeps.io.console import (
    fit_table,
    fits,
    format_number,
    make_table,
    print_line,
    print_table,
)
from sweeps.labels import MISSING, shorten
from sweeps.naming import short_keys
from sweeps.store import Trial, TrialStatus

STATUS_COLOURS = {
    TrialStatus.FINISHED: "green",
    TrialStatus.STOPPED: "cyan",
    TrialStatus.DIVERGED: "yellow",
    TrialStatus.INTERRUPTED: "magenta",
    TrialStatus.FAILED: "red",
}

FRONT = "front"
"""Mark of a trial on the Pareto front, in the column `Pareto`."""
WIDTHS = (24, 12)
"""Characters of a value: where there is room, and before axes are left out."""


def print_ranking(console: Console, comparison: Comparison, top: int) -> None:
    """Print the best trials, a row each.

    With several objectives their values at the step of the best value stand there too, and the
    Pareto front is marked.
    """
    rows = comparison.trials[:top]
    heads = _setting_heads(comparison, comparison.axes)
    first = 1 + len(heads) - len(comparison.axes)
    best = 1 + len(heads)
    others = len(comparison.objectives)
    status = best + 2 + others + bool(others)
    same = _constant(comparison.axes, [one.settings for one in rows])
    single = [first + place for place, axis in enumerate(comparison.axes) if axis in same]
    cheap = [status + 1, best + 1, *single]
    in_all = _in_all(comparison, same, rows)
    if len(statuses := {one.trial.status for one in rows}) == 1:
        cheap.append(status)
        in_all.setdefault("status", f"status={statuses.pop().words}")
    tags = [status + 3] if _has_tags(comparison) else []
    axes = [first + place for place in reversed(range(len(comparison.axes)))]
    _print_fitted(
        console,
        lambda width: ranking_table(comparison, top, width),
        cheap,
        [*cheap, *tags, *(place for place in axes if place not in single)],
        in_all,
    )


def print_replicates(console: Console, comparison: Comparison, top: int) -> None:
    """Print the best settings, a row each, with the mean over their replicates."""
    axes = [axis for axis in comparison.axes if axis != comparison.replicate]
    rows = comparison.trials
    first = len(_setting_heads(comparison, axes)) - len(axes)
    same = _constant(axes, [one.settings for one in rows])
    cheap = [first + place for place, axis in enumerate(axes) if axis in same]
    rest = [first + place for place in reversed(range(len(axes)))]
    _print_fitted(
        console,
        lambda width: replicate_table(comparison, top, width),
        cheap,
        [*cheap, *(place for place in rest if place not in cheap)],
        _in_all(comparison, same, rows),
    )


def print_means(console: Console, comparison: Comparison) -> None:
    """Print the mean of the trials at each value of each axis."""
    width = WIDTHS[0] if console.is_terminal else None
    print_table(console, means_table(comparison, width))


def print_settings(
    console: Console,
    build: Callable[[int | None], Table],
    axes: Sequence[str],
    settings: Sequence[Mapping[str, str]],
    first: int,
) -> None:
    """Print a table of settings that is not of a comparison.

    Args:
      console: where to print.
      build: makes the table, given the most characters of a value.
      axes: keys in full.
      settings: of each row: axis -> text.
      first: place of the first axis's column.
    """
    same = _constant(axes, settings)
    cheap = [first + place for place, axis in enumerate(axes) if axis in same]
    rest = [first + place for place in reversed(range(len(axes)))]
    names = dict(zip(axes, short_keys(axes), strict=True))
    in_all = {
        names[axis]: f"{names[axis]}={shorten(settings[0][axis], WIDTHS[0])}" for axis in same
    }
    least = [*cheap, *(place for place in rest if place not in cheap)]
    _print_fitted(console, build, cheap, least, in_all)


def ranking_table(comparison: Comparison, top: int, width: int | None = None) -> Table:
    """Return a table of the best trials, a row each.

    Args:
      comparison: the ranked trials.
      top: most rows.
      width: most characters of a value; None: all. The narrowest tells how trials ended in a word.
    """
    texts = texts_of(comparison.trials)
    table = make_table("#", *_setting_heads(comparison, comparison.axes))
    others = [one.tag for one in comparison.objectives]
    for name in (f"best {comparison.metric}", "at step", *others):
        table.add_column(name, justify="right")
    if others:
        table.add_column("Pareto")
    table.add_column("status")
    table.add_column("seconds", justify="right")
    table.add_column("id")
    if has_tags := _has_tags(comparison):
        table.add_column("tags")
    for position, one in enumerate(comparison.trials[:top], start=1):
        table.add_row(
            str(position),
            *_setting_cells(comparison, one.sweep, one.settings, texts, width),
            format_number(one.best),
            "" if one.step is None else str(one.step),
            *(format_number(value) for value in one.others),
            *([FRONT if one.on_front else ""] if others else []),
            _status(one.trial, in_a_word=width == WIDTHS[-1]),
            f"{one.trial.seconds:.1f}",
            one.trial.directory.name.rpartition("id=")[2],
            *[", ".join(one.trial.tags)][:has_tags],
        )
    return table


def replicate_table(comparison: Comparison, top: int, width: int | None = None) -> Table:
    """Return a table of the best settings, a row each, with the mean over their replicates."""
    assert comparison.replicate
    texts = texts_of(comparison.trials)
    axes = [axis for axis in comparison.axes if axis != comparison.replicate]
    table = make_table(*_setting_heads(comparison, axes), "mean", "deviation", "finished")
    for group in group_replicates(comparison.trials, comparison.replicate, comparison.mode)[:top]:
        table.add_row(
            *_setting_cells(comparison, group.sweep, group.settings, texts, width),
            format_number(group.mean),
            format_number(group.deviation, 3),
            f"{group.n} of {group.trials}",
        )
    return table


def means_table(comparison: Comparison, width: int | None = None) -> Table:
    """Return a table of the mean at each value of each axis, or in each range of its values."""
    texts = texts_of(comparison.trials)
    table = make_table("axis", "value", "mean", "deviation", "trials")
    found = marginal_means(comparison.trials, comparison.axes)
    names = dict(zip(comparison.axes, short_keys(comparison.axes), strict=True))
    for axis, values in found.items():
        for row, value in enumerate(values):
            table.add_row(
                "" if row else names[axis],
                texts(axis, value.label, width),
                format_number(value.mean),
                format_number(value.deviation, 3),
                str(value.n),
            )
    return table


def texts_of(scored: Iterable[ScoredTrial]) -> ValueTexts:
    """Return the texts of the values of trials."""
    return ValueTexts((one.settings, one.trial.train_command) for one in scored)


def _print_fitted(
    console: Console,
    build: Callable[[int | None], Table],
    cheap: Sequence[int],
    least: Sequence[int],
    in_all: Mapping[str, str],
) -> None:
    """Print a table as wide as the terminal at most, and say which columns it is without.

    Args:
      console: where to print; it is whole off a terminal.
      build: makes the table, given the most characters of a value.
      cheap: places of columns that are left out rather than that values are shortened further.
      least: places of all columns that may be left out, the first one first.
      in_all: heading -> what to say of a column that has one value.
    """
    if not console.is_terminal:
        print_table(console, build(None))
        return
    table, left_out = fit_table(build(WIDTHS[0]), console.width, cheap)
    if not fits(table, console.width):
        table, left_out = fit_table(build(WIDTHS[1]), console.width, least)
    print_table(console, table)
    if left_out:
        named = ", ".join(in_all.get(head, head) for head in left_out)
        print_line(console, f"no room for: {named} (in a pipe the table is whole)", style="dim")


def _constant(axes: Sequence[str], settings: Sequence[Mapping[str, str]]) -> list[str]:
    """The axes that have one value in these settings."""
    return [axis for axis in axes if len({one[axis] for one in settings}) == 1]


def _in_all(
    comparison: Comparison, axes: Sequence[str], rows: Sequence[ScoredTrial]
) -> dict[str, str]:
    texts, names = texts_of(rows), short_keys(comparison.axes)
    return {
        name: f"{name}={texts(axis, rows[0].settings[axis], WIDTHS[0])}"
        for axis, name in zip(comparison.axes, names, strict=True)
        if axis in axes and rows[0].settings[axis] != MISSING
    }


def _has_tags(comparison: Comparison) -> bool:
    return any(one.trial.tags for one in comparison.trials)


def _setting_heads(comparison: Comparison, axes: Sequence[str]) -> list[str]:
    full = dict(zip(comparison.axes, short_keys(comparison.axes), strict=True))
    return [*["sweep"][: len(comparison.sweeps) > 1], *(full[axis] for axis in axes)]


def _setting_cells(
    comparison: Comparison,
    sweep: str,
    settings: Mapping[str, str],
    texts: ValueTexts,
    width: int | None,
) -> list[str]:
    values = (texts(axis, name, width) for axis, name in settings.items())
    return [*[sweep][: len(comparison.sweeps) > 1], *values]


def _status(trial: Trial, *, in_a_word: bool) -> Text:
    words = trial.status.words
    if in_a_word:
        pass
    elif trial.status == TrialStatus.STOPPED and trial.error:
        words += f" {trial.error}"
    elif trial.status == TrialStatus.DIVERGED:
        words += f" at step {trial.step}"
    return Text(words, style=STATUS_COLOURS.get(trial.status, ""))
