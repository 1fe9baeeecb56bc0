"""Locks, so that one process at a time writes to a folder.

The operating system holds a lock, and releases it when its process ends.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from sweeps.errors import UserError
from sweeps.io.atomic import cannot_write, make_directory


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
        lock.acquire(timeout=timeout)
    except Timeout as error:
        raise UserError(message) from error
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        yield
    finally:
        lock.release()
