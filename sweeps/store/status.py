"""How a trial may end before its end."""

from pathlib import Path
from typing import NamedTuple


class Stop(NamedTuple):
    """A wish from outside that a trial should end before its end."""

    status: str
    """`stopped` or `interrupted`."""
    by: str | None = None
    """The rule that wants it: `time`, or None."""
    reason: str = ""


class Diverged(Exception):  # noqa: N818 (a result, not an error)
    """The loss stopped being a finite number."""

    def __init__(self, step: int) -> None:
        super().__init__(f"the loss is not finite at step {step}")
        self.step = step


def status_of(error: BaseException | None) -> str:
    """The status of a trial that this ended; of None: that returned."""
    if error is None:
        return "finished"
    if isinstance(error, Diverged):
        return "diverged"
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, SystemExit) and error.code in (0, None):
        return "stopped"
    return "failed"


DONE = ("finished", "diverged")
"""Statuses of trials that are not run again."""


STATUSES = ("finished", "stopped", "diverged", "interrupted", "failed", "running", "waiting")
"""In rank: a crashed trial may have had the best value of all, so status comes first."""


COUNTED = ("finished", "stopped")
"""Statuses of trials that means and importance count: a rule stopped a trial for its value, so
leaving it out would flatter its settings."""


STUCK_FILE = "stuck.txt"
"""In a trial's folder: where every thread stood when its time was up and no report came."""


def is_stuck(directory: Path) -> bool:
    """Whether the trial's process was ended because its time was up."""
    path = directory / STUCK_FILE
    return path.exists() and path.stat().st_size > 0


def time_limit_reason(limit: float) -> str:
    """The reason that a trial's result gives."""
    return f"after sweep.trial_minutes={limit / 60:g}"
