"""`sweeps logs`: what the process of a trial wrote to its output, from `log.txt` in its folder."""

import argparse
import codecs
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from sweeps.cli.exit import exit_on_user_error
from sweeps.cli.places import is_open, is_sweep, read_named_sweep, read_named_trial
from sweeps.cli.version import add_version
from sweeps.errors import UserError
from sweeps.io.console import make_console, print_line
from sweeps.store import Trial, TrialStatus, read_trial
from sweeps.store.log import LOG_FILE, MARKER, tails
from sweeps.store.provenance import read_provenance

LINES = 20
"""Last lines of each failed trial, by default."""
POLL_SECONDS = 0.5
"""Time between two looks for more."""


@exit_on_user_error()
def main(arguments: Sequence[str] | None = None, command: str = "sweeps logs") -> None:
    """Run the command.

    Args:
      arguments: command-line arguments; None for those of this process.
      command: name of the command in its help.
    """
    options = make_parser(command).parse_args(arguments)
    if options.lines is not None and options.lines < 1:
        raise UserError(f"-n {options.lines} is out of range; it must be at least 1.")
    if options.failed:
        if options.follow:
            raise UserError("-f follows one trial; leave it or --failed out.")
        _show_failed(options.folder, options.lines or LINES)
        return
    if is_sweep(options.folder):
        raise UserError(
            f"{options.folder} is a sweep; name one of its trials, or give --failed for the last "
            "lines of all that failed."
        )
    trial = read_named_trial(options.folder)
    if options.follow:
        _follow(trial, options.lines)
    else:
        _write(_contents(log_file(trial), options.lines))


def make_parser(command: str) -> argparse.ArgumentParser:
    """Return the parser of the command's arguments."""
    parser = argparse.ArgumentParser(
        prog=command,
        description="Print what the process of a trial wrote to its output. Trials that trained "
        "in one pack share what their process wrote.",
    )
    add = parser.add_argument
    add("folder", metavar="FOLDER", help="of a trial; with --failed, of a sweep")
    add("-f", "--follow", action="store_true", help="go on until the trial ends")
    add("--failed", action="store_true", help="the last lines of each failed trial, and its error")
    add(
        "-n",
        "--lines",
        type=int,
        metavar="N",
        help=f"only the last N lines (default: all; {LINES} with --failed)",
    )
    add_version(parser)
    return parser


def log_file(trial: Trial) -> Path:
    """Return the file with what a trial's process wrote; a pack's stands with its first trial.

    Raises:
      UserError: there is none.
    """
    path = _find_log(trial)
    if path is not None:
        return path
    if trial.status == TrialStatus.WAITING:
        raise UserError(f"{trial.directory} has no {LOG_FILE}: the trial has not started.")
    raise UserError(
        f"{trial.directory} has no {LOG_FILE}: what its process wrote was not kept; its metrics "
        "are in metrics.csv, and the error of a failed trial is in error.txt."
    )


def _find_log(trial: Trial) -> Path | None:
    own = trial.directory / LOG_FILE
    pack = read_provenance(trial.directory).facts.get("pack")
    shared = trial.directory.with_name(str(pack)) / LOG_FILE
    if pack and shared.exists() and not (own.exists() and not own.samefile(shared)):
        return shared
    return own if own.exists() else None


def _contents(path: Path, lines: int | None) -> str:
    data = b"".join(one.read_bytes() for one in (path, *(one for _, one in tails(path.parent))))
    text = data.decode("utf-8", errors="replace")
    return text if lines is None else "".join(text.splitlines(keepends=True)[-lines:])


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _show_failed(folder: str, lines: int) -> None:
    console = make_console()
    sweep = read_named_sweep(folder)
    failed = [one for one in sweep.trials if one.status == TrialStatus.FAILED]
    if not failed:
        print_line(console, f"no trial of {sweep.folder} has failed")
    for number, trial in enumerate(failed):
        print_line(console, ("\n" if number else "") + trial.directory.name, style="bold")
        path = _find_log(trial)
        if path is None:
            print_line(console, f"({trial.directory} has no {LOG_FILE})")
        else:
            text = _contents(path, lines)
            _write(text if text.endswith("\n") or not text else f"{text}\n")
        print_line(console, f"failed: {trial.error} ({trial.directory / 'error.txt'})")


def _follow(trial: Trial, lines: int | None) -> None:
    """Print a log as it grows, until the trial ends."""
    while (path := _find_log(trial)) is None:
        if not is_open(trial):
            log_file(trial)  # says why there is none
        time.sleep(POLL_SECONDS)
        trial = read_trial(trial.directory)
    follower = _Follower(path)
    text = follower.read()
    _write(text if lines is None else "".join(text.splitlines(keepends=True)[-lines:]))
    while True:
        ended = not is_open(read_trial(trial.directory))  # asked before the last look at the file
        _write(follower.read())
        if ended:
            return
        time.sleep(POLL_SECONDS)


class _Follower:
    """Reads what is added to a log. One that another took the place of is read from its start.

    When a process ends, it puts the parts of a long log together, and leaves out the middle.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._inode = path.stat().st_ino
        self._place = self._later = 0
        """Bytes that were read of the log itself, and of its later parts."""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def read(self) -> str:
        """Return what is new."""
        try:
            with self._path.open("rb") as file:
                facts = os.fstat(file.fileno())
                if facts.st_ino != self._inode or facts.st_size < self._place:
                    data = self._replaced(file.read(), facts.st_ino)
                else:
                    file.seek(self._place)
                    data = file.read()
                    self._place += len(data)
            for offset, part in tails(self._path.parent):
                whole = part.read_bytes()
                data += whole[max(0, self._later - offset) :]
                self._later = max(self._later, offset + len(whole))
        except FileNotFoundError:  # a file is being replaced, or the trial was removed
            return ""
        return self._decoder.decode(data)

    def _replaced(self, data: bytes, inode: int) -> bytes:
        """Return what is new in a file that took the place of the log."""
        marker = MARKER.search(data)
        begin = marker.end() if marker else 0
        written = len(data) + (int(marker[1]) - len(marker[0]) if marker else 0)
        new = written - self._place - self._later
        self._place, self._later, self._inode = len(data), 0, inode
        return data[max(begin, len(data) - new) :] if new >= 0 else data


if __name__ == "__main__":
    main()
