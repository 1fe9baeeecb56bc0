"""The status of a trial, and how a trial may end early."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class TrialStatus(StrEnum):
    """Status of a trial, from best to worst in the ranking.

    Status comes before value: a crashed trial may have had the best value of all.
    """

    FINISHED = "finished"
    """The objective returned."""
    STOPPED = "stopped"
    """A scheduler or a time limit ended it."""
    DIVERGED = "diverged"
    """The loss was not finite."""
    INTERRUPTED = "interrupted"
    """Ctrl-C or a signal ended it."""
    FAILED = "failed"
    """An error ended it."""
    RUNNING = "running"
    """A process trains it, or was killed while it did."""
    WAITING = "waiting"
    """The trial has not started."""

    @property
    def words(self) -> str:
        """The status as tables of a sweep that has ended say it: nothing waits there any more."""
        return "not started" if self == TrialStatus.WAITING else self.value

    @property
    def rank(self) -> int:
        """Position in the ranking, 0 for the best status."""
        return list(TrialStatus).index(self)

    @property
    def is_done(self) -> bool:
        """Whether a sweep does not run the trial again."""
        return self in (TrialStatus.FINISHED, TrialStatus.DIVERGED)

    @property
    def is_counted(self) -> bool:
        """Whether means and importance count the trial.

        A scheduler stopped a trial for its value, so leaving it out would flatter its settings.
        """
        return self in (TrialStatus.FINISHED, TrialStatus.STOPPED)


TIME_LIMIT = "time"
"""`stopped_by` of a trial whose time was up."""
PATIENCE = "patience"
"""`stopped_by` of a trial that ended itself, as its value got no better."""


@dataclass(frozen=True)
class Stop:
    """A request from outside to end a trial early."""

    status: TrialStatus
    """STOPPED or INTERRUPTED."""
    stopped_by: str | None = None
    """The scheduler's kind, TIME_LIMIT, or None."""
    reason: str = ""


class Diverged(Exception):  # noqa: N818 (a result, not an error)
    """The loss is not a finite number any more."""

    def __init__(self, step: int) -> None:
        super().__init__(f"the loss is not finite at step {step}")
        self.step = step


def status_after(error: BaseException | None) -> TrialStatus:
    """The status of a trial whose objective raised this error; None: it returned."""
    if error is None:
        return TrialStatus.FINISHED
    if isinstance(error, Diverged):
        return TrialStatus.DIVERGED
    if isinstance(error, KeyboardInterrupt):
        return TrialStatus.INTERRUPTED
    if isinstance(error, SystemExit) and error.code in (0, None):
        return TrialStatus.STOPPED
    return TrialStatus.FAILED


STUCK_FILE = "stuck.txt"
"""Holds the stack of every thread of a trial that made no report when its time was up."""


def is_stuck(directory: Path) -> bool:
    """Whether the trial's process was killed because its time was up and no report came."""
    path = directory / STUCK_FILE
    return path.exists() and path.stat().st_size > 0


def time_limit_reason(limit: float) -> str:
    """The reason in a trial's result for a time limit in seconds."""
    return f"after sweep.trial_minutes={limit / 60:g}"
