"""The folders that arguments of commands name: sweeps and trials, and whether they are running."""

import os
from collections.abc import Iterator
from pathlib import Path

from sweeps.errors import UserError
from sweeps.io.cache_dir import is_local_copy
from sweeps.io.lock import is_locked
from sweeps.io.url import is_url, without_secrets
from sweeps.store import Sweep, Trial, TrialStatus, read_sweep, read_trial
from sweeps.store.sweep import SWEEP_FILE, lock_path
from sweeps.store.trial import LOCK_FILE


def folder_of(text: str) -> Path:
    """Return the folder of this machine that an argument names; `.` and `..` by its own name.

    Raises:
      UserError: it names a URL.
    """
    if is_url(text):  # before it becomes a path, in which two slashes are one
        raise UserError(
            f"{without_secrets(text)} is a URL; give the folder of this machine's copy of it."
        )
    path = Path(text)
    return Path(os.path.abspath(path)) if path.name in ("", "..") else path


def sweep_folders(root: Path) -> Iterator[Path]:
    """Yield the folders of all sweeps below a folder, which may be one itself, by name.

    Hidden folders are left out, and so is what lies within a sweep.

    Raises:
      UserError: the folder does not exist.
    """
    if not root.is_dir():
        raise UserError(
            f"{root} does not exist; give the folder that sweeps write to (output_dir)."
        )
    for path, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if SWEEP_FILE in files:
            folders.clear()
            yield Path(path)


def read_named_sweep(text: str) -> Sweep:
    """Read the sweep that an argument names.

    Raises:
      UserError: it names no sweep.
    """
    folder = folder_of(text)
    if not folder.is_dir():
        raise UserError(f"{folder} does not exist; name a sweep's folder.")
    return read_sweep(folder)


def read_named_trial(text: str, wanted: str = "a trial's folder") -> Trial:
    """Read the trial that an argument names: by its folder, or by a sweep's folder and its id.

    Args:
      text: the argument.
      wanted: what the command takes, for the sentence.

    Raises:
      UserError: it names no trial, or several.
    """
    folder = folder_of(text)
    trial = read_trial(folder)
    if trial.fingerprint:
        return trial
    if (folder.parent / SWEEP_FILE).exists() and not folder.is_dir():
        return find_trial(read_sweep(folder.parent), folder.name)
    what = "holds no trial" if folder.is_dir() else "does not exist"
    raise UserError(f"{folder} {what}; name {wanted}, as in outputs/SWEEP/TRIAL.")


def find_trial(sweep: Sweep, text: str) -> Trial:
    """Return a sweep's trial by its name, its id or the first digits of that, or its folder.

    Raises:
      UserError: none is called so, or several are.
    """
    name = Path(text).name
    digits = name.removeprefix("id=")
    found = [one for one in sweep.trials if one.directory.name == name] or [
        one for one in sweep.trials if one.directory.name.rpartition("id=")[2].startswith(digits)
    ]
    if len(found) == 1:
        return found[0]
    if not found:
        raise UserError(
            f"{sweep.folder} has no trial {name}; the ids of its {len(sweep.trials)} trials are "
            f"in the table of: sweeps show {sweep.folder}"
        )
    names = ", ".join(one.directory.name for one in found[:4])
    raise UserError(
        f"the ids of {len(found)} trials of {sweep.folder} begin with {digits} ({names}); give "
        "more of it."
    )


def is_sweep(text: str) -> bool:
    """Return whether an argument names a sweep's own folder."""
    return (folder_of(text) / SWEEP_FILE).exists()


def is_running(folder: Path) -> bool:
    """Return whether a command runs the sweep in a folder."""
    return is_locked(lock_path(Path(os.path.abspath(folder))))


def is_training(trial: Trial) -> bool:
    """Return whether a process trains the trial."""
    return is_locked(trial.directory / LOCK_FILE)


def is_open(trial: Trial) -> bool:
    """Return whether a trial is being trained, or may be again by the sweep that runs now."""
    if trial.status not in (TrialStatus.RUNNING, TrialStatus.WAITING):
        return False
    return is_training(trial) or is_running(trial.directory.parent)


def refuse_local_copy(folder: Path) -> None:
    """Refuse to change results that a URL keeps: the next run would bring the old ones back.

    Raises:
      UserError: the folder is this machine's copy of such results.
    """
    if is_local_copy(folder):
        raise UserError(
            f"{folder} is this machine's copy of results at a URL, and the next run of the sweep "
            "makes it anew; change them there, by the means of that store."
        )
