"""What a sweep's folder says of it: its axes and its trials."""

from dataclasses import dataclass, field
from pathlib import Path

from sweeps.errors import UserError
from sweeps.io.atomic import read_json
from sweeps.store.fingerprint import FlatConfig
from sweeps.store.trial import Trial, read_trial


@dataclass(frozen=True)
class Sweep:
    """A sweep's folder as it stands."""

    folder: Path
    axes: tuple[str, ...] = ()
    """Keys in full, in the order in which they came."""
    metric: str = ""
    mode: str = "min"
    replicate: str | None = None
    """Axis whose values repeat a setting."""
    base: FlatConfig = field(default_factory=dict)
    trials: tuple[Trial, ...] = ()
    as_text: tuple[str, ...] = ()
    """Axes with labels of several types, as 0.1 and null."""


def read_sweep(folder: Path) -> Sweep:
    """Read a sweep's folder with all its trials, by name.

    Raises:
      UserError: there is no sweep in it.
    """
    known = read_json(folder / "sweep.json")
    if known is None:
        raise UserError(f"{folder} holds no sweep: it has no sweep.json; name a sweep's folder.")
    found = sorted(path.parent for path in folder.glob("[!.]*/trial.json"))
    trials = tuple(read_trial(path) for path in found)
    lists = {key: tuple(known.get(key, ())) for key in ("axes", "as_text")}
    return Sweep(folder, **{**known, **lists, "trials": trials})
