"""Retries of work on a disk or a store of another machine, which may be away for minutes.

`$SWEEPS_RETRY_MINUTES` says for how long work is tried again, 10 minutes where it is not set; 0
tries once. It counts in the driver and in each worker, so on a cluster it is to be set on every
machine.
"""

import errno
import logging
import os
import time
from collections.abc import Callable
from functools import cache
from typing import TypeVar

from sweeps.errors import UserError, first_line

T = TypeVar("T")

VARIABLE = "SWEEPS_RETRY_MINUTES"
MINUTES = 10.0
"""Default of the variable."""
FIRST_PAUSE = 1.0
"""Seconds before the second try; each further pause is twice as long, up to `LONGEST_PAUSE`."""
LONGEST_PAUSE = 30.0

_NAMES = (
    *("ESTALE", "EIO", "ETIMEDOUT", "EAGAIN", "EBUSY", "EINTR", "EREMOTEIO", "EPIPE", "ENOLCK"),
    *("ENOTCONN", "ECONNRESET", "ECONNREFUSED", "ECONNABORTED", "ESHUTDOWN", "ENOLINK"),
    *("EHOSTDOWN", "EHOSTUNREACH", "ENETDOWN", "ENETUNREACH", "ENETRESET"),
)
PASSING_ERRORS = frozenset(getattr(errno, name) for name in _NAMES if hasattr(errno, name))
"""Numbers of the system's errors that a server or a network in trouble gives for a while."""

_away: set[str] = set()
"""What does not answer at present, so that it is said once."""


def retry(work: Callable[[], T], passes: Callable[[Exception], bool], where: str) -> T:
    """Return what some work returns; where it fails, try again with pauses.

    The first failure is told on the log, and that it works again.

    Args:
      work: may be done again after it failed midway.
      passes: whether an error may be gone after a while.
      where: what the work needs, for the log.

    Raises:
      Exception: that of the work, if it does not pass, or has not after the time allowed.
    """
    deadline, pause = None, FIRST_PAUSE
    while True:
        try:
            result = work()
        except Exception as error:
            if not passes(error):
                raise
            now = time.monotonic()
            if deadline is None:
                deadline = now + 60 * retry_minutes()
                if now < deadline:
                    tell_away(where, error)
            if now >= deadline:
                raise
            time.sleep(min(pause, deadline - now))
            pause = min(2 * pause, LONGEST_PAUSE)
        else:
            tell_back(where)
            return result


def tell_away(where: str, error: BaseException) -> None:
    """Tell the user that something does not answer, once until it does."""
    if where not in _away:
        _away.add(where)
        warn(
            f"{where} does not answer ({first_line(error)}); trying again for up to "
            f"{retry_minutes():g} minutes."
        )


def tell_back(where: str) -> None:
    """Tell the user that something answers again, if it is known to have been away."""
    if where in _away:
        _away.discard(where)
        warn(f"{where} answers again.")


def retry_minutes() -> float:
    """Return for how long work is tried again.

    Raises:
      UserError: the variable is no number of minutes.
    """
    text = os.environ.get(VARIABLE, "")
    try:
        minutes = float(text) if text else MINUTES
    except ValueError:
        minutes = -1.0
    if not 0 <= minutes < float("inf"):
        raise UserError(f"{VARIABLE}={text} is no number of minutes; give one, such as 10, or 0.")
    return minutes


def disk_passes(error: Exception) -> bool:
    """Return whether an error of a file operation may be gone after a while."""
    return isinstance(error, OSError) and error.errno in PASSING_ERRORS


def warn(sentence: str) -> None:
    """Tell the user something that stops nothing."""
    logging.getLogger("sweeps").warning("%s", sentence)


@cache
def warn_once(sentence: str) -> None:
    """Tell the user something that stops nothing, once in this process."""
    warn(sentence)
