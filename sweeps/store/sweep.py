"""`sweep.json`: the axes of a sweep, how it ranks trials, and what its trials share.

Its keys are the fields of `Sweep`, but for `folder` and `trials`.
"""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal

from sweeps.errors import UserError
from sweeps.io.retry import warn_once
from sweeps.store.fingerprint import FlatConfig
from sweeps.store.format import FieldTypes, read_fields, write_fields
from sweeps.store.trial import TRIAL_FILE, Trial, read_trial

SWEEP_FILE = "sweep.json"

SWEEP_TYPES: FieldTypes = {
    "axes": tuple[str, ...],
    "metric": str,
    "mode": Literal["min", "max"],
    "replicate": str | None,
    "objectives": tuple[str, ...],
    "common_config": FlatConfig,
    "text_axes": tuple[str, ...],
}


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A sweep's folder as it stands."""

    folder: Path
    axes: tuple[str, ...] = ()
    """Swept options in full, in the order in which they were added."""
    metric: str = ""
    mode: str = "min"
    replicate: str | None = None
    """Axis whose values repeat a setting, such as a seed."""
    objectives: tuple[str, ...] = ()
    """Further metrics that matter, as the option `sweep.objectives` names them."""
    common_config: FlatConfig = field(default_factory=dict)
    """Options that all trials agree on, by dotted key."""
    text_axes: tuple[str, ...] = ()
    """Axes with labels of several types, such as 0.1 and null."""
    trials: tuple[Trial, ...] = ()


def read_sweep(folder: Path) -> Sweep:
    """Read a sweep's folder with all its trials, sorted by name.

    A folder whose `trial.json` is damaged holds no trial. Of two folders with the same trial one
    counts.

    Raises:
      UserError: the folder holds no sweep, or one of another format.
      DamagedSweepError: its `sweep.json` is damaged.
    """
    known = read_fields(folder / SWEEP_FILE, SWEEP_TYPES)
    if known is None:
        if (folder / SWEEP_FILE).exists():
            raise DamagedSweepError(folder)
        raise UserError(f"{folder} holds no sweep: it has no sweep.json; name a sweep's folder.")
    known = {one.name: known[one.name] for one in fields(Sweep) if one.name in known}
    return Sweep(**{**known, "folder": folder, "trials": _read_trials(folder)})


def recover_sweep(folder: Path) -> Sweep:
    """Return what the trials' own folders say of a sweep whose `sweep.json` is damaged or missing.

    How it ranks its trials, and what they share, is not known.

    Raises:
      UserError: a trial has another format.
    """
    trials = _read_trials(folder)
    axes = dict.fromkeys(key for trial in trials for key in trial.settings)
    text_axes = {key for trial in trials for key in trial.text_axes}
    return Sweep(
        folder=folder,
        axes=tuple(axes),
        text_axes=tuple(key for key in axes if key in text_axes),
        trials=trials,
    )


def lock_path(folder: Path) -> Path:
    """Return the file whose lock a command holds while it runs the sweep in a folder.

    It lies beside the folder, which may be moved.
    """
    return folder.parent / f".{folder.name}.lock"


class DamagedSweepError(UserError):
    """A sweep's `sweep.json` cannot be read."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"{folder / SWEEP_FILE} is damaged; give the sweep's own command again, which makes it "
            "anew from the folders of the trials."
        )


def _read_trials(folder: Path) -> tuple[Trial, ...]:
    """Read the trials in a sweep's folder, sorted by name, each once."""
    found: dict[tuple[str, str], Trial] = {}
    for directory in sorted(path.parent for path in folder.glob(f"[!.]*/{TRIAL_FILE}")):
        trial = read_trial(directory)
        if not trial.fingerprint:
            continue
        # In a population, two trials may come to the same configuration.
        key = trial.fingerprint, trial.planned_fingerprint
        kept, left = sorted([trial, found.get(key, trial)], key=_worth)
        if kept != left:
            warn_once(
                f"{kept.directory} and {left.directory.name} beside it are the same trial, and the "
                "first one counts; move the other away."
            )
        found[key] = kept
    return tuple(sorted(found.values(), key=lambda trial: trial.directory))


def _worth(trial: Trial) -> tuple[bool, int, int, str]:
    """Return a sort key, smaller for the one of two equal trials that counts."""
    return not trial.done, trial.rank, -trial.step, trial.directory.name


def write_sweep(sweep: Sweep) -> None:
    """Write a sweep's `sweep.json`.

    Raises:
      UserError: it cannot be written.
    """
    names = [one.name for one in fields(Sweep) if one.name not in ("folder", "trials")]
    write_fields(sweep.folder / SWEEP_FILE, {name: getattr(sweep, name) for name in names})
