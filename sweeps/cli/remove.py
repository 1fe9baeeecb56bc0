"""`sweeps rm`: remove trials, chosen by status or named; the sweep's command trains them again."""

import argparse
import os
import shutil
import sys
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from sweeps.analysis import compare_trials
from sweeps.analysis.results import write_results
from sweeps.cli.exit import exit_on_user_error
from sweeps.cli.places import (
    is_sweep,
    is_training,
    read_named_sweep,
    read_named_trial,
    refuse_local_copy,
)
from sweeps.cli.version import add_version
from sweeps.errors import UserError
from sweeps.io.atomic import cannot_write
from sweeps.io.console import count_text, make_console, print_line, print_rest
from sweeps.io.lock import locked
from sweeps.store import Trial, TrialStatus, read_sweep, read_trial
from sweeps.store.sweep import SWEEP_FILE, lock_path
from sweeps.tensorboard.custom_scalars import Charts, read_charts, write_charts
from sweeps.tensorboard.replicate_runs import write_replicate_runs

RESULTS_FILE = "results.csv"
SHOWN = 20
"""Names of trials that are printed before the question."""


@exit_on_user_error()
def main(arguments: Sequence[str] | None = None, command: str = "sweeps rm") -> None:
    """Run the command.

    Args:
      arguments: command-line arguments; None for those of this process.
      command: name of the command in its help.
    """
    options = make_parser(command).parse_intermixed_args(arguments)
    console = make_console()
    if options.status is None:
        trials = _named(options.folders)
    else:
        trials = _of_status(options.folders, options.status)
    with ExitStack() as locks:
        for folder in dict.fromkeys(one.directory.parent for one in trials):
            refuse_local_copy(folder)
            if (folder / SWEEP_FILE).exists():
                in_use = (
                    f"a command runs the sweep in {folder}; stop it first: sweeps stop {folder}"
                )
                path = lock_path(Path(os.path.abspath(folder)))
                locks.enter_context(locked(path, in_use))
        # As they are now that no sweep runs.
        trials = [read_trial(one.directory) for one in trials]
        if options.status is not None:
            trials = [one for one in trials if one.status in options.status]
        if not trials:
            chosen = " or ".join(options.status or ())
            print_line(console, f"no trial is {chosen}; nothing was removed")
            return
        for one in trials[:SHOWN]:
            print_line(console, f"{one.directory}  {one.status}, {one.seconds:.1f} s")
        print_rest(console, len(trials) - SHOWN, "in the same folders")
        if not options.yes:
            _ask(len(trials))
        remove_trials(trials)
    print_line(console, f"removed {_count(len(trials))}")


def make_parser(command: str) -> argparse.ArgumentParser:
    """Return the parser of the command's arguments."""
    parser = argparse.ArgumentParser(
        prog=command,
        description="Remove trials with all their files, and make the sweep's results.csv anew. "
        "The sweep's own command, given again, trains them again.",
    )
    add = parser.add_argument
    add(
        "folders",
        nargs="+",
        metavar="FOLDER",
        help="of a trial: outputs/SWEEP/TRIAL, or outputs/SWEEP/ID; with --status, of a sweep",
    )
    add(
        "--status",
        type=_statuses,
        metavar="STATUS,...",
        help=f"the trials of the sweeps with one of these, of {', '.join(TrialStatus)}",
    )
    add("--yes", action="store_true", help="do not ask")
    add_version(parser)
    return parser


def _statuses(text: str) -> list[TrialStatus]:
    try:
        return [TrialStatus(part.strip()) for part in text.split(",")]
    except ValueError as error:
        known = ", ".join(TrialStatus)
        raise argparse.ArgumentTypeError(f"{error}; choose of {known}") from error


def _named(folders: Sequence[str]) -> list[Trial]:
    for folder in folders:
        if is_sweep(folder):
            raise UserError(
                f"{folder} is a sweep; name trials of it, or choose them with --status."
            )
    found = {one.directory.resolve(): one for one in map(read_named_trial, folders)}
    return list(found.values())


def _of_status(folders: Sequence[str], statuses: Sequence[TrialStatus]) -> list[Trial]:
    sweeps = {Path(folder).resolve(): read_named_sweep(folder) for folder in folders}
    return [one for sweep in sweeps.values() for one in sweep.trials if one.status in statuses]


def _ask(count: int) -> None:
    """Ask whether to remove; returns where the answer is yes.

    Raises:
      UserError: it is not, or nobody can be asked.
    """
    if not sys.stdin.isatty():
        raise UserError(f"nobody can be asked here; give --yes to remove {_count(count)}.")
    answer = input(f"Remove {_count(count)}? [y/N] ")
    if answer.strip().lower() not in ("y", "yes"):
        raise UserError("nothing was removed.")


def _count(number: int) -> str:
    return count_text(number, "trial")


def remove_trials(trials: Sequence[Trial]) -> None:
    """Remove the folders of trials, and make what their sweeps say of all trials anew.

    The locks of the sweeps are held.

    Raises:
      UserError: a process trains one of them, or a folder cannot be removed.
    """
    for trial in trials:
        if is_training(trial):
            raise UserError(f"a process trains {trial.directory}; wait for it, or stop it.")
    folders = dict.fromkeys(one.directory.parent for one in trials)
    charts = {folder: read_charts(folder) for folder in folders if (folder / SWEEP_FILE).exists()}
    for trial in trials:
        _remove(trial.directory)
    for folder, shown in charts.items():
        _refresh(folder, shown)


def _remove(directory: Path) -> None:
    # Renamed first: half a trial must not count as one.
    hidden = directory.with_name(f".removed-{uuid.uuid4().hex[:8]}")
    try:
        directory.rename(hidden)
        shutil.rmtree(hidden)
    except OSError as error:
        raise cannot_write(directory, error) from error


def _refresh(folder: Path, charts: Charts) -> None:
    sweep = read_sweep(folder)
    if (folder / RESULTS_FILE).exists():
        write_results(folder / RESULTS_FILE, compare_trials(sweep))
    write_replicate_runs(sweep, charts)
    if charts:
        write_charts(sweep, charts)


if __name__ == "__main__":
    main()
