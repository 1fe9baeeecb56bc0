"""Reusing trials that another sweep of the same output folder has trained."""

import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from sweeps.errors import UserError
from sweeps.io.atomic import cannot_write
from sweeps.io.retry import warn_once
from sweeps.store import Trial, read_sweep
from sweeps.store.provenance import add_provenance
from sweeps.store.sweep import SWEEP_FILE
from sweeps.store.tags import TAGS_FILE
from sweeps.store.trial import LOCK_FILE, update_trial
from sweeps.tensorboard.hparams import rewrite_hparams


def trained_in_other_sweeps(folder: Path, fingerprints: Collection[str]) -> Mapping[str, Trial]:
    """Find done trials with these fingerprints in the sweeps beside a folder.

    Sweeps that were moved aside, and those that cannot be read, are left out.
    """
    found: dict[str, Trial] = {}
    for path in sorted(folder.parent.glob(f"[!.]*/{SWEEP_FILE}")):
        if path.parent == folder or ".old-" in path.parent.name or not fingerprints:
            continue
        try:
            sweep = read_sweep(path.parent)
        except UserError as error:
            warn_once(f"The sweep {path.parent.name} is left out: {error}")
            continue
        for trial in sweep.trials:
            if trial.done and trial.fingerprint in fingerprints:
                found.setdefault(trial.fingerprint, trial)
    return found


def reuse_trial(
    trial: Trial, directory: Path, settings: Mapping[str, str], text_axes: Sequence[str] = ()
) -> None:
    """Copy a trial into another sweep.

    Args:
      trial: of the other sweep.
      directory: its folder in this sweep, which does not exist yet.
      settings: its labels on the axes of this sweep.
      text_axes: those of the axes that TensorBoard shows as text.

    Raises:
      UserError: the copy cannot be written.
    """
    copy = directory.with_name(f".{directory.name}.copy")
    try:
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(trial.directory, copy, ignore=shutil.ignore_patterns(LOCK_FILE, TAGS_FILE))
        update_trial(copy, settings=dict(settings), text_axes=list(text_axes))
        add_provenance(copy, copied_from=str(trial.directory))
        copy.rename(directory)
    except OSError as error:
        raise cannot_write(directory, error) from error
    rewrite_hparams(directory)
