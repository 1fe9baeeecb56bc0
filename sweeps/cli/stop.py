"""`sweeps stop`: have a running sweep, or one of its trials, save and stop.

The driver of the sweep looks for the request in the sweep's folder. A sweep ends as after Ctrl-C. A
trial gets the status `interrupted`, so that the sweep's command goes on with it when it is given
again; until then the sweep runs its other trials.
"""

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from sweeps.cli.exit import exit_on_user_error
from sweeps.cli.places import find_trial, is_running, is_training, read_named_sweep
from sweeps.cli.version import add_version
from sweeps.errors import UserError
from sweeps.io.console import make_console, print_line
from sweeps.store import Trial, TrialStatus, read_sweep, read_trial
from sweeps.store.stop_requests import request_stop, withdraw

POLL_SECONDS = 0.25
"""Time between two looks whether it has stopped."""


@exit_on_user_error()
def main(arguments: Sequence[str] | None = None, command: str = "sweeps stop") -> None:
    """Run the command.

    Args:
      arguments: command-line arguments; None for those of this process.
      command: name of the command in its help.
    """
    options = make_parser(command).parse_args(arguments)
    console = make_console()
    sweep = read_named_sweep(options.folder)
    folder = sweep.folder
    if not is_running(folder):
        raise UserError(f"no command runs the sweep in {folder}, so there is nothing to stop.")
    if options.trial is None:
        print_line(console, f"asking the command that runs {folder} to save and stop")
        _stop_sweep(folder)
        print_line(console, f"stopped: {_left(folder)}")
        return
    trial = find_trial(sweep, options.trial)
    if not is_training(trial):
        raise UserError(
            f"no process trains {trial.directory}, its status is {trial.status}; only a trial "
            "that is being trained can be stopped."
        )
    print_line(console, f"asking {trial.directory.name} to save and stop")
    ended = _stop_trial(folder, trial)
    print_line(console, ended.summary())
    if ended.status == TrialStatus.INTERRUPTED:
        print_line(console, "The sweep goes on; its command, given again, goes on with this trial.")


def make_parser(command: str) -> argparse.ArgumentParser:
    """Return the parser of the command's arguments."""
    parser = argparse.ArgumentParser(
        prog=command,
        description="Have a running sweep save, print its table and end, as Ctrl-C does; or have "
        "one of its trials save and end with the status interrupted, while the others go on. The "
        "sweep's own command, given again, goes on from there. Waits until it has stopped; "
        "Ctrl-C ends the waiting alone.",
    )
    parser.add_argument("folder", metavar="SWEEP", help="a sweep's folder")
    parser.add_argument(
        "trial", nargs="?", metavar="TRIAL", help="its name or id (default: the whole sweep)"
    )
    add_version(parser)
    return parser


def _stop_sweep(folder: Path) -> None:
    """Ask until nothing runs the sweep: a driver that has only begun removes older requests."""
    request = request_stop(folder)
    while is_running(folder):
        time.sleep(POLL_SECONDS)
        request_stop(folder)
    withdraw(request)  # the driver has removed those that it saw


def _stop_trial(folder: Path, trial: Trial) -> Trial:
    """Ask until the trial has ended; returns how it stands then."""
    while True:
        request_stop(folder, trial.directory.name)
        time.sleep(POLL_SECONDS)
        now = read_trial(trial.directory)
        if not is_running(folder) or (not is_training(now) and now.status != TrialStatus.RUNNING):
            return now


def _left(folder: Path) -> str:
    """Return how many trials of each status there are, and how to go on."""
    trials = read_sweep(folder).trials
    counts = Counter(one.status for one in trials)
    known = ", ".join(f"{counts[status]} {status}" for status in TrialStatus if counts[status])
    if all(one.done for one in trials):
        return known
    return f"{known}; the command that ran the sweep goes on with what is left"


if __name__ == "__main__":
    main()
