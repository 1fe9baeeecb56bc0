"""Results of a sweep: `results.csv`, and the best trials on the terminal."""

import csv
import io
import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from sweeps.analysis.comparison import Comparison
from sweeps.analysis.ranking import ScoredTrial
from sweeps.analysis.tables import FRONT, print_ranking, print_replicates
from sweeps.io.atomic import write_text
from sweeps.io.console import print_line, print_rest
from sweeps.store import Trial, TrialStatus
from sweeps.store.compile_times import read_compile_time, total_compile_time
from sweeps.store.log import last_lines
from sweeps.store.provenance import DELETED, SAVED, read_provenance

TOP = 50
"""Number of rows on the terminal."""
LOG_LINES = 5
"""Last lines of a failed trial's log on the terminal."""


def write_results(path: Path, comparison: Comparison) -> None:
    """Write `results.csv`: a row for each trial, the best first.

    It has columns for settings, status, last metrics, best value, seconds, directory and command,
    and for compilation times where any trial recorded them. With several objectives it has their
    values at the step of the best value, and the mark `front` for the Pareto front.

    Raises:
      UserError: the file cannot be written.
    """
    axes, metric = comparison.axes, comparison.metric
    tags = list(dict.fromkeys(tag for one in comparison.trials for tag in one.trial.metrics))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    compiling = [read_compile_time(one.trial.directory) for one in comparison.trials]
    costs = ("compile_seconds", "compile_cache") if total_compile_time(compiling) else ()
    several = [f"at_best/{one.tag}" for one in comparison.objectives]
    front = [*several, "pareto"] if several else []
    heads = f"best/{metric}", *front, "seconds", *costs, "directory", "command"
    table.writerow(["trial", *axes, "status", *tags, *heads])
    for one, (spent, cache, _) in zip(comparison.trials, compiling, strict=True):
        trial = one.trial
        metrics = [_number(trial.metrics.get(tag)) for tag in tags]
        known = [trial.directory.name, *one.settings.values(), trial.status, *metrics]
        seconds = [f"{trial.seconds:.1f}", *[_number(spent), cache][: len(costs)]]
        best = [_number(one.best)]
        if front:
            best += [*map(_number, one.others), FRONT if one.on_front else ""]
        table.writerow([*known, *best, *seconds, str(trial.directory), trial.train_command])
    write_text(path, text.getvalue())


def print_results(
    console: Console,
    comparison: Comparison,
    reproduce_command: str | None = None,
    board_command: str | None = None,
    interrupted: bool = False,
    is_local: bool = True,
    go_on: str = "",
) -> None:
    """Print the ranked trials of one sweep, then how to go on and where everything is.

    Args:
      console: where to print.
      comparison: the trials of one sweep, at least one.
      reproduce_command: command that runs a trial again and compares, given its folder.
      board_command: command that shows the runs of a folder; None: TensorBoard's own.
      interrupted: whether the sweep ended before its trials did.
      is_local: whether the checkpoints are in the sweep's folder; else they are at a URL.
      go_on: command that trains what an interrupted sweep has left; empty: it is not known.
    """
    folder, trials = comparison.sweeps[0].folder, comparison.trials
    print_line(console)
    print_ranking(console, comparison, TOP)
    print_rest(console, len(trials) - TOP, "in results.csv")
    if comparison.replicate and comparison.best_trial:
        print_line(console)
        print_line(
            console, f"best {comparison.metric} over {comparison.replicate}, finished trials:"
        )
        print_replicates(console, comparison, TOP)
    print_line(console)
    failed: dict[str | None, list[Trial]] = {}
    for one in trials:
        if one.trial.status == TrialStatus.FAILED:
            failed.setdefault(one.trial.error, []).append(one.trial)
    for error, (first, *others) in failed.items():
        more = f", and {len(others)} more" if others else ""
        print_line(console, f"failed: {error} ({first.directory / 'error.txt'}{more})")
        for line in last_lines(first.directory, LOG_LINES):
            print_line(console, f"  | {line}")
    if interrupted:
        print_line(console, f"go on:       {go_on or 'the command of this sweep'}")
        if left := _left(trials):
            print_line(console, f"{'':12} trains what is left: {left}")
    if compiling := total_compile_time([read_compile_time(one.trial.directory) for one in trials]):
        print_line(console, f"compiling:   {compiling}")
    print_line(console, f"results:     {folder / 'results.csv'}")
    if best := comparison.best_trial:
        print_line(console, f"best trial:  {best.trial.directory}")
        if lost := _lost_checkpoints(best.trial, is_local):
            print_line(console, f"no weights:  {lost}")
        print_line(console, f"again alone: {best.trial.train_command}")
        if reproduce_command:
            directory = shlex.quote(str(best.trial.directory))
            print_line(console, f"verify it:   {reproduce_command} {directory}")
    elif comparison.unranked:
        print_line(console, f"no ranking:  {comparison.unranked}")
    if comparison.frontless:
        print_line(console, f"no front:    {comparison.frontless}")
    board = board_command or "tensorboard --logdir"
    print_line(console, f"look at it:  {board} {shlex.quote(str(folder))}")


def _lost_checkpoints(trial: Trial, is_local: bool) -> str:
    """Why a done trial has no checkpoint any more; empty: it has one, or never had any."""
    state = read_provenance(trial.directory).facts.get("checkpoints")
    if state == DELETED:
        return "its checkpoints were not kept (sweep.keep_checkpoints=none)"
    files = (path for path in (trial.directory / "checkpoints").rglob("*") if path.is_file())
    if state == SAVED and is_local and not any(files):
        return "its checkpoints were deleted from its folder since"
    return ""


def _left(trials: Sequence[ScoredTrial]) -> str:
    """What an interrupted sweep has left to do, by status; empty: all of its trials are done."""
    counts = Counter(one.trial.status for one in trials)
    counts[TrialStatus.INTERRUPTED] += counts.pop(TrialStatus.RUNNING, 0)
    left = (TrialStatus.INTERRUPTED, TrialStatus.WAITING)
    return ", ".join(f"{counts[status]} {status.words}" for status in left if counts[status])


def _number(value: float | None) -> str:
    return "" if value is None else repr(value)
