"""Atomic writes of files, and JSON that can hold any metric.

A file is written under another name and renamed, so that a reader sees the old content or the new
one, never a part. One that nothing could make anew is brought to the disk before and after, so that
a machine that goes down leaves one of the two as well. A server's disk that is away for a while is
waited for (see `sweeps.io.retry`).
"""

import errno
import json
import math
import os
from collections.abc import Mapping
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Any

from sweeps.errors import UserError
from sweeps.io.retry import disk_passes, retry


def write_text(path: Path, text: str, *, durable: bool = True) -> None:
    """Replace a file's text in one step; see `write_bytes`.

    Raises:
      UserError: the file cannot be written (full disk, no permission).
    """
    write_bytes(path, text.encode("utf-8"), durable=durable)


def write_bytes(path: Path, data: bytes, temporary_name: str = "", *, durable: bool = True) -> None:
    """Replace a file's bytes in one step.

    Args:
      path: the file; its folder exists.
      data: the new content.
      temporary_name: name of the file that is written first and renamed; by default that of `path`.
      durable: whether the file is to outlive a machine that goes down right afterwards. That takes
        milliseconds; a file that can be made anew, or soon will be, does not need it.

    Raises:
      UserError: the file cannot be written (full disk, no permission).
    """
    new = path.with_name(f".{temporary_name or path.name}.{os.getpid()}")

    def write() -> None:
        with new.open("wb", buffering=0) as file:
            _write_all(file, data)
            if durable:
                os.fsync(file.fileno())
        new.replace(path)
        if durable:
            sync_folder(path.parent)

    try:
        retry(write, disk_passes, str(path.parent))
    except OSError as error:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        raise cannot_write(path, error) from error


def link_file(source: Path, path: Path) -> None:
    """Make a file the same as another one, in one step; a copy where there are no links.

    Args:
      source: a file that is on the disk, and is replaced, never written to.
      path: the file; its folder exists.

    Raises:
      UserError: the file cannot be written (full disk, no permission).
    """
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        new.unlink(missing_ok=True)
        os.link(source, new)
        new.replace(path)
        sync_folder(path.parent)
    except OSError:
        write_bytes(path, source.read_bytes())
    finally:
        with suppress(OSError):  # it stays where both were the same file before
            new.unlink(missing_ok=True)


def write_fully(file: FileIO, data: bytes, path: Path) -> None:
    """Write all bytes at the end of an open file.

    Raises:
      UserError: the disk is full, or the file cannot be written.
    """
    start = file.tell()
    try:
        _write_all(file, data)
    except OSError as error:
        if not disk_passes(error):
            raise cannot_write(path, error) from error
        _write_again(file, start, data, path)


def _write_all(file: FileIO, data: bytes) -> None:
    # A nearly full disk takes a part of the bytes first, and reports its error then.
    while data:
        data = data[file.write(data) :]


def _write_again(file: FileIO, start: int, data: bytes, path: Path) -> None:
    """Write bytes of which a server's disk may have taken a part before it failed."""

    def write() -> None:
        # The server may know the file again, but not the handle by which it was open.
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
        try:
            os.dup2(descriptor, file.fileno(), inheritable=False)
        finally:
            os.close(descriptor)
        os.ftruncate(file.fileno(), start)
        _write_all(file, data)

    try:
        retry(write, disk_passes, str(path.parent))
    except OSError as error:
        raise cannot_write(path, error) from error


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk, as far as its file system can."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # a folder may be one to write to and not to list
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EBADF, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def write_json(path: Path, values: Mapping[str, Any], *, durable: bool = True) -> None:
    """Write one JSON object; NaN and infinities become the strings `nan`, `inf` and `-inf`.

    Raises:
      UserError: the file cannot be written.
    """
    text = json.dumps(_encode(values), indent=2, allow_nan=False) + "\n"
    write_text(path, text, durable=durable)


def read_json(path: Path) -> dict[str, Any] | None:
    """Read a file of `write_json`; None where it is missing or is not a JSON object.

    Text that UTF-8 cannot hold, such as half of a surrogate pair, is damage, too.
    """
    try:
        text = path.read_text(encoding="utf-8")
        values = json.loads(text)
        if "\\ud" in text.lower():
            json.dumps(values, ensure_ascii=False).encode("utf-8")
        return _decode(values) if isinstance(values, dict) else None
    except (OSError, ValueError, RecursionError):
        return None


def make_directory(path: Path) -> None:
    """Create a folder, and its parents, and check that files can be written in it.

    Raises:
      UserError: it cannot be created, or nothing can be written in it.
    """
    probe = path / f".probe.{os.getpid()}"

    def make() -> None:
        path.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink(missing_ok=True)

    try:
        retry(make, disk_passes, str(path))
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> UserError:
    """Return the error for an output file or folder that cannot be written."""
    reason = error.strerror or str(error)
    cause, advice = {
        errno.ENOSPC: (": the disk is full", "free some space"),
        errno.EDQUOT: (": your share of the disk is full", "free some space"),
        errno.EROFS: (": the disk is mounted read-only", "mount it anew"),
    }.get(error.errno or 0, ("", "free some space or mend its permissions"))
    return UserError(
        f"cannot write {path} ({reason}){cause}; {advice}, or choose another place with "
        "output_dir=DIR."
    )


_NUMBERS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def _encode(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _encode(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_encode(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    return value


def _decode(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _decode(item) for key, item in value.items()}
    return _NUMBERS.get(value, value) if isinstance(value, str) else value
