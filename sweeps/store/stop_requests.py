"""Requests to stop a running sweep, or one of its trials: files in the folder `.stop`.

A command that is not the sweep's own leaves them in the sweep's folder, where the driver looks (see
`sweeps.cli.stop`). The driver leaves such files for its workers, too, where these see them (see
`sweeps.tune.tuner`).
"""

import os
from contextlib import suppress
from pathlib import Path

from sweeps.io.atomic import cannot_write
from sweeps.io.retry import disk_passes

STOP_FOLDER = ".stop"
STOP_ALL = "now"
"""Name of the file that has all trials save and stop."""


def interrupt_file(trial: str) -> str:
    """Return the name of the file that has a trial of this name save and stop."""
    return f"{trial}.interrupt"


def request_stop(folder: Path, trial: str | None = None) -> Path:
    """Ask a sweep, or one of its trials, to save and stop.

    Args:
      folder: the sweep's.
      trial: name of the trial; None: the whole sweep.

    Returns:
      The file that was left; the sweep removes it at its end.

    Raises:
      UserError: the file cannot be written.
    """
    path = folder / STOP_FOLDER / (STOP_ALL if trial is None else interrupt_file(trial))
    try:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    except OSError as error:
        raise cannot_write(path, error) from error
    return path


def withdraw(request: Path) -> None:
    """Remove a request, and its folder where nothing else is in it."""
    with suppress(OSError):
        request.unlink(missing_ok=True)
        request.parent.rmdir()


def read_requests(folder: Path) -> set[str]:
    """Return the names of the files that are left in a sweep's folder.

    A disk that does not answer has none: it is asked again.
    """
    try:
        return set(os.listdir(folder / STOP_FOLDER))
    except (FileNotFoundError, NotADirectoryError):
        return set()
    except OSError as error:
        if not disk_passes(error):
            raise
        return set()
