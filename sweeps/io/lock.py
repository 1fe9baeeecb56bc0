"""Locks, so that one process at a time writes to a folder.

The operating system holds a lock, and releases it when its process ends.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from sweeps.errors import UserError
from sweeps.io.atomic import cannot_write, make_directory

LOOK_SECONDS = 0.2
"""Least time to wait for a lock, so that nobody is refused because another looks at it just now."""


@contextmanager
def locked(path: Path, message: str, timeout: float = 0) -> Iterator[None]:
    """Hold a lock while the context is entered.

    Args:
      path: the lock's file; it is made where missing, and stays.
      message: sentence for the user where another process holds the lock.
      timeout: seconds to wait for that process to end.

    Raises:
      UserError: another process holds it, or its file cannot be made.
    """
    make_directory(path.parent)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=max(timeout, LOOK_SECONDS), poll_interval=0.05)
    except Timeout as error:
        raise UserError(message) from error
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        yield
    finally:
        lock.release()


def is_locked(path: Path) -> bool:
    """Return whether a process holds a lock; its file is not made where it is missing."""
    try:
        file = path.open("rb")
    except OSError:
        return False
    with file:
        try:
            # A shared lock for a moment: two processes that look do not see each other.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:  # a file system without locks, on which nobody holds one
            return False
    return False
