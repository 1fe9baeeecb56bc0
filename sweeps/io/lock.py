"""Folders that one process at a time may write to.

The operating system holds the lock, and lets go of it when its process ends, however that ends.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from sweeps.errors import UserError
from sweeps.io.atomic import cannot_write, make_directory


@contextmanager
def locked(path: Path, held: str, seconds: float = 0) -> Iterator[None]:
    """Hold a lock while inside.

    Args:
      path: the lock's file; made where missing, and left behind.
      held: the sentence for the user where another process has it.
      seconds: how long to wait for that process to end.

    Raises:
      UserError: it is held by another process, or its file cannot be made.
    """
    make_directory(path.parent)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=seconds)
    except Timeout as error:
        raise UserError(held) from error
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        yield
    finally:
        lock.release()
