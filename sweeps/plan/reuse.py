"""Trials that another sweep of the same output folder has trained already."""

import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from sweeps.io.atomic import cannot_write, read_json, write_json
from sweeps.store.sweep import read_sweep
from sweeps.store.trial import Trial
from sweeps.tensorboard.hparams import rewrite_hparams


def trained_in_other_sweeps(folder: Path, fingerprints: Collection[str]) -> Mapping[str, Trial]:
    """Finished trials of the sweeps beside a folder, by fingerprint."""
    found: dict[str, Trial] = {}
    for path in sorted(folder.parent.glob("[!.]*/sweep.json")):
        if path.parent == folder or ".old-" in path.parent.name or not fingerprints:
            continue
        for trial in read_sweep(path.parent).trials:
            if trial.done and trial.fingerprint in fingerprints:
                found.setdefault(trial.fingerprint, trial)
    return found


def reuse_trial(
    trial: Trial, directory: Path, settings: Mapping[str, str], as_text: Sequence[str] = ()
) -> None:
    """Copy a trial into another sweep, with its settings there, some of them shown as text.

    Raises:
      UserError: the copy cannot be written.
    """
    fresh = directory.with_name(f".{directory.name}.copy")
    try:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.copytree(trial.directory, fresh, ignore=shutil.ignore_patterns(".lock"))
        known = read_json(fresh / "trial.json") or {}
        here = {"settings": dict(settings), "as_text": list(as_text)}
        write_json(fresh / "trial.json", {**known, **here})
        facts = read_json(fresh / "provenance.json") or {}
        write_json(fresh / "provenance.json", {**facts, "copied_from": str(trial.directory)})
        fresh.rename(directory)
    except OSError as error:
        raise cannot_write(directory, error) from error
    rewrite_hparams(directory)
