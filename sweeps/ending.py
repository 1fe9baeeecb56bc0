"""How a trial may end before its end."""

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
