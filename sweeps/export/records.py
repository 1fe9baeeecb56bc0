"""Trials as they are exported: what identifies one, and whether it has changed since."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sweeps.store import Sweep, Trial, TrialStatus

KEY = "lm-sweeps.fingerprint"
"""Name under which other tools keep a trial's key."""
DIGEST = "lm-sweeps.digest"
"""Name under which they keep the digest of what was exported; it is written last."""

UNFINISHED = (TrialStatus.RUNNING, TrialStatus.WAITING)
"""Statuses of trials that are left out."""


@dataclass(frozen=True)
class Record:
    """A trial that has ended."""

    trial: Trial
    key: str
    """Identifies the trial in a sweep: its fingerprint, in a population the planned one, too."""
    digest: str
    """Changes with all that is exported of the trial."""

    @property
    def name(self) -> str:
        """The trial's name."""
        return self.trial.directory.name


@dataclass(frozen=True)
class Changes:
    """Which trials an export has to write."""

    new: tuple[Record, ...]
    changed: tuple[Record, ...]
    same: tuple[Record, ...]

    @property
    def to_write(self) -> tuple[Record, ...]:
        """Those that are new or have changed."""
        return (*self.new, *self.changed)


def records_of(sweep: Sweep) -> list[Record]:
    """Return the trials of a sweep that have ended, for now or for good."""
    ended = (one for one in sweep.trials if one.status not in UNFINISHED)
    return [Record(one, _key(one), _digest(one)) for one in ended]


def compare(records: Iterable[Record], known: Mapping[str, str]) -> Changes:
    """Compare trials with those that were exported before.

    Args:
      records: all trials.
      known: key -> digest of each that is there; empty where it was left half-written.
    """
    kinds: dict[str, list[Record]] = {"new": [], "changed": [], "same": []}
    for record in records:
        if record.key not in known:
            kinds["new"].append(record)
        else:
            kinds["same" if known[record.key] == record.digest else "changed"].append(record)
    return Changes(**{kind: tuple(found) for kind, found in kinds.items()})


def _key(trial: Trial) -> str:
    if trial.planned_fingerprint in ("", trial.fingerprint):
        return trial.fingerprint
    return f"{trial.fingerprint}-{trial.planned_fingerprint}"


def _digest(trial: Trial) -> str:
    # A row of metrics.csv changes the last metrics, or the step.
    described = [
        trial.directory.name,
        *map(str, (trial.status, trial.stopped_by, trial.error, trial.step, trial.seconds)),
        sorted(trial.settings.items()),
        sorted(trial.metrics.items()),
        str(trial.best),
        trial.tags,
    ]
    return hashlib.sha256(repr(described).encode()).hexdigest()[:32]
