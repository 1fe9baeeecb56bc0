"""`sweep.json`: the axes of a sweep, how it ranks trials, and what its trials share.

Its keys are the fields of `Sweep`, but for `folder` and `trials`.
"""

from dataclasses import dataclass, field, fields
from pathlib import Path

from sweeps.errors import UserError
from sweeps.store.fingerprint import FlatConfig
from sweeps.store.format import read_fields, write_fields
from sweeps.store.trial import TRIAL_FILE, Trial, read_trial

SWEEP_FILE = "sweep.json"


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
    common_config: FlatConfig = field(default_factory=dict)
    """Options that all trials agree on, by dotted key."""
    text_axes: tuple[str, ...] = ()
    """Axes with labels of several types, such as 0.1 and null."""
    trials: tuple[Trial, ...] = ()


def read_sweep(folder: Path) -> Sweep:
    """Read a sweep's folder with all its trials, sorted by name.

    Raises:
      UserError: the folder holds no sweep, or one of another format.
    """
    known = read_fields(folder / SWEEP_FILE)
    if known is None:
        raise UserError(f"{folder} holds no sweep: it has no sweep.json; name a sweep's folder.")
    known = {one.name: known[one.name] for one in fields(Sweep) if one.name in known}
    known |= {key: tuple(known.get(key, ())) for key in ("axes", "text_axes")}
    directories = sorted(path.parent for path in folder.glob(f"[!.]*/{TRIAL_FILE}"))
    trials = tuple(read_trial(directory) for directory in directories)
    return Sweep(**{**known, "folder": folder, "trials": trials})


def write_sweep(sweep: Sweep) -> None:
    """Write a sweep's `sweep.json`.

    Raises:
      UserError: it cannot be written.
    """
    names = [one.name for one in fields(Sweep) if one.name not in ("folder", "trials")]
    write_fields(sweep.folder / SWEEP_FILE, {name: getattr(sweep, name) for name in names})
