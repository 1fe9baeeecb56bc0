"""Compare the trials of sweeps: on the terminal, and as a page with `--html`.

An application gives this command a name of its own: `python -m lm.compare outputs/layer_grid`.
"""

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from sweeps.analysis.comparison import Comparison, compare_sweeps
from sweeps.analysis.importance import Importance, axis_importance
from sweeps.analysis.replicates import group_replicates
from sweeps.analysis.significance import chance_text
from sweeps.analysis.tables import print_means, print_ranking, print_replicates
from sweeps.cli.exit import exit_on_user_error
from sweeps.cli.places import is_running
from sweeps.cli.version import add_version
from sweeps.errors import UserError
from sweeps.io.console import (
    count_text,
    make_console,
    print_line,
    print_rest,
    print_table,
)
from sweeps.naming import short_keys
from sweeps.store import TrialStatus

BAR_WIDTH = 30
"""Characters of the bar of a share of 1."""
FOLLOW_SECONDS = 10.0
"""Seconds after which the page of a running sweep is written again, at the earliest."""
MIN_BARS = 20
"""Least number of trials whose shares have bars."""


@exit_on_user_error()
def main(
    arguments: Sequence[str] | None = None, command: str = "python -m sweeps.cli.compare"
) -> None:
    """Run the command.

    Args:
      arguments: command-line arguments; None for those of this process.
      command: name of the command in its help.
    """
    options = make_parser(command).parse_args(arguments)
    if options.follow and options.html is None:
        raise UserError("--follow writes a page again and again; name its file with --html FILE.")
    console = make_console()
    follows = options.follow and _any_running(options.folders)
    comparison, shares = _compare(options, follows)
    print_comparison(console, comparison, shares, options.top)
    if options.html is not None:
        print_line(console, f"report: {options.html}")
    if follows:
        print_line(console, "the page follows the running sweep; Ctrl-C leaves it as it is.")
    while follows:
        _wait_for_end(options.folders)
        follows = _any_running(options.folders)
        _compare(options, follows)


def _compare(options: argparse.Namespace, follows: bool) -> tuple[Comparison, Importance]:
    """Compare the trials, and write the page if one is asked for."""
    comparison = compare_sweeps(options.folders, options.filter, options.metric, options.mode)
    shares = axis_importance(comparison.trials, comparison.axes)
    if options.html is not None:  # before the terminal, which may be a pipe that closes early
        from sweeps.report import write_report

        write_report(options.html, comparison, shares, FOLLOW_SECONDS if follows else None)
    return comparison, shares


def _any_running(folders: Sequence[Path]) -> bool:
    return any(is_running(folder) for folder in folders)


def _wait_for_end(folders: Sequence[Path]) -> None:
    """Wait until no sweep runs any more, but not longer than a page stays as it is."""
    due = time.monotonic() + FOLLOW_SECONDS
    while time.monotonic() < due and _any_running(folders):
        time.sleep(0.5)


def print_comparison(
    console: Console, comparison: Comparison, shares: Importance, top: int
) -> None:
    """Print the ranked table, replicates, marginal means and importance.

    Args:
      console: where to print.
      comparison: the ranked trials.
      shares: importance of the axes.
      top: number of rows of the longer tables.
    """
    print_line(console, headline(comparison))
    if not comparison.trials:
        return
    print_ranking(console, comparison, top)
    print_rest(console, len(comparison.trials) - top, "--top N shows more rows")
    if comparison.replicate:
        found = group_replicates(comparison.trials, comparison.replicate, comparison.mode)
        _heading(console, f"best {comparison.metric} over {comparison.replicate}, finished trials")
        print_replicates(console, comparison, top)
        print_rest(console, len(found) - top, "--top N shows more rows")
    _heading(console, f"mean best {comparison.metric}, finished and stopped trials")
    print_means(console, comparison)
    if any(one.counted for one in comparison.trials):
        print_line(console, chance_text(comparison))
    _heading(console, "importance: share of the variance that an axis explains by itself (fANOVA)")
    if shares.reason:
        print_line(console, f"not computed: {shares.reason}.")
        return
    print_table(console, _importance(comparison, shares))
    if shares.trials < MIN_BARS:
        print_line(
            console, f"From {count_text(shares.trials, 'trial')}: too few for more than a hint."
        )


def headline(comparison: Comparison) -> str:
    """Return a line with the sweeps, the number of trials and the metric."""
    counts = Counter(one.trial.status for one in comparison.trials)
    known = [f"{counts[status]} {status.words}" for status in TrialStatus if counts[status]]
    names = ", ".join(comparison.names)
    trials = count_text(len(comparison.trials), "trial")
    if comparison.filtered_out:
        trials += f" of {len(comparison.trials) + comparison.filtered_out}"
    best = "lowest" if comparison.mode == "min" else "highest"
    ended = f" ({', '.join(known)})" if known else ""
    order = comparison.unranked if comparison.trials else ""
    return f"{names}: {trials}{ended} by {comparison.metric}, {order or f'{best} first'}"


def make_parser(command: str) -> argparse.ArgumentParser:
    """Return the parser of the command's arguments."""
    parser = argparse.ArgumentParser(prog=command, description="Compare the trials of sweeps.")
    add = parser.add_argument
    add("folders", nargs="+", type=Path, metavar="FOLDER", help="a sweep's folder")
    add(
        "--filter",
        "--match",
        metavar="REGEX",
        help="only runs in whose name it is found, case ignored, as in TensorBoard's run box; "
        "with several sweeps a run is called <sweep>/<trial>",
    )
    add("--metric", metavar="TAG", help="rank by this one (default: the sweep's own)")
    add("--mode", choices=("min", "max"), help="which end is best (default: the sweep's own)")
    add("--html", type=Path, metavar="FILE", help="write a page that needs no network")
    add(
        "--follow",
        action="store_true",
        help="write the page again while a sweep runs, and let an open one read it again",
    )
    add("--top", type=int, default=50, metavar="N", help="rows of a table (default: %(default)s)")
    add_version(parser)
    return parser


def _importance(comparison: Comparison, shares: Importance) -> Table:
    """The shares; without bars where there are too few trials for more than a hint."""
    names = dict(zip(comparison.axes, short_keys(comparison.axes), strict=True))
    rest = max(0.0, 1 - sum(shares.shares.values()))
    rows = [(names[axis], share) for axis, share in shares.shares.items()]
    width = BAR_WIDTH if shares.trials >= MIN_BARS else 0
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, share in [*rows, ("(interactions)", rest)]:
        table.add_row(name, f"{share:4.0%}", "█" * round(share * width))
    return table


def _heading(console: Console, text: str) -> None:
    print_line(console)
    print_line(console, text, style="bold")


if __name__ == "__main__":
    main()
