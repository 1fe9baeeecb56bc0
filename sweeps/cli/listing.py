"""`sweeps ls`: the sweeps below folders, a row each."""

import argparse
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from sweeps.analysis import compare_trials
from sweeps.cli.exit import exit_on_user_error
from sweeps.cli.places import folder_of, is_running, sweep_folders
from sweeps.cli.version import add_version
from sweeps.errors import UserError
from sweeps.io.console import format_number, make_console, make_table, print_folded, print_line
from sweeps.io.retry import warn
from sweeps.store import Sweep, Trial, TrialStatus, read_sweep
from sweeps.store.result import RESULT_FILE
from sweeps.store.sweep import SWEEP_FILE

_UNITS = {"min": 60, "h": 3600, "days": 86400}


@exit_on_user_error()
def main(arguments: Sequence[str] | None = None, command: str = "sweeps ls") -> None:
    """Run the command.

    Args:
      arguments: command-line arguments; None for those of this process.
      command: name of the command in its help.
    """
    options = make_parser(command).parse_args(arguments)
    console = make_console()
    found = list(_sweeps([folder_of(text) for text in options.roots]))
    if not found:
        print_line(console, f"no sweep below {', '.join(options.roots)}")
        return
    tags = {name: _tag_counts(sweep.trials) for name, sweep in found}
    heads = ("sweep", "trials", "metric", "best", "changed", *["tags"][: any(tags.values())])
    table = make_table(*heads)
    for column in table.columns:
        is_number = column.header in ("best", "changed")
        column.justify, column.no_wrap = "right" if is_number else "left", is_number
    for name, sweep in found:
        best = best_value(sweep)
        row = [name, _trials(sweep), sweep.metric, format_number(best), _age(_changed(sweep))]
        table.add_row(*row, tags[name])
    print_folded(console, table)


def make_parser(command: str) -> argparse.ArgumentParser:
    """Return the parser of the command's arguments."""
    parser = argparse.ArgumentParser(
        prog=command,
        description="List the sweeps below folders: their trials by status, the best value of the "
        "metric that ranks them, and when a trial was written last.",
    )
    help = "where to look (default: outputs)"
    parser.add_argument("roots", nargs="*", default=["outputs"], metavar="ROOT", help=help)
    add_version(parser)
    return parser


def best_value(sweep: Sweep) -> float | None:
    """Return the best value of a sweep's metric, without trials that diverged or failed."""
    without = (TrialStatus.DIVERGED, TrialStatus.FAILED)
    ranked = compare_trials(sweep).trials
    values = (one.best for one in ranked if one.trial.status not in without)
    return next((value for value in values if value is not None), None)


def _sweeps(roots: Sequence[Path]) -> Iterator[tuple[str, Sweep]]:
    """Yield name and contents of each sweep; one that cannot be read is told of."""
    for root in roots:
        for folder in sweep_folders(root):
            below = folder.relative_to(root).as_posix() if len(roots) == 1 else str(folder)
            name = folder.resolve().name if below == "." else below
            try:
                yield name, read_sweep(folder)
            except UserError as error:
                warn(str(error))


def _trials(sweep: Sweep) -> str:
    """Return the number of trials of each status."""
    counts = Counter(one.status for one in sweep.trials)
    known = ", ".join(
        f"{counts[status]} {status.words}" for status in TrialStatus if counts[status]
    )
    running = " (a command runs it)" if is_running(sweep.folder) else ""
    return (known or "none") + running


def _tag_counts(trials: Sequence[Trial]) -> str:
    counts = Counter(tag for one in trials for tag in one.tags)
    return ", ".join(f"{tag} ({count})" if count > 1 else tag for tag, count in counts.items())


def _changed(sweep: Sweep) -> float:
    """Return when a sweep or a result in it was written last, in seconds since 1970."""
    paths = [sweep.folder / SWEEP_FILE, *(one.directory / RESULT_FILE for one in sweep.trials)]
    return max(path.stat().st_mtime for path in paths if path.exists())


def _age(moment: float) -> str:
    """Return how long ago a moment was, in its largest unit."""
    seconds = max(0.0, time.time() - moment)
    if seconds < 60:
        return "now"
    unit = [name for name, size in _UNITS.items() if seconds >= size][-1]
    count = int(seconds // _UNITS[unit])
    return f"{count} {unit if count > 1 or unit != 'days' else 'day'} ago"


if __name__ == "__main__":
    main()
