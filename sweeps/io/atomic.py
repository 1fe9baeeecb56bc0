"""Atomic writes of files, and JSON that can hold any metric.

A file is written under another name and renamed, so that a reader sees the old content or the new
one, never a part.
"""

import json
import math
import os
from collections.abc import Mapping
from io import FileIO
from pathlib import Path
from typing import Any

from sweeps.errors import UserError


def write_text(path: Path, text: str) -> None:
    """Replace a file's text in one step.

    Raises:
      UserError: the file cannot be written (full disk, no permission).
    """
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, data: bytes, temporary_name: str = "") -> None:
    """Replace a file's bytes in one step.

    Args:
      path: the file; its folder exists.
      data: the new content.
      temporary_name: name of the file that is written first and renamed; by default that of `path`.

    Raises:
      UserError: the file cannot be written (full disk, no permission).
    """
    new = path.with_name(f".{temporary_name or path.name}.{os.getpid()}")
    try:
        new.write_bytes(data)
        new.replace(path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise cannot_write(path, error) from error


def write_fully(file: FileIO, data: bytes, path: Path) -> None:
    """Write all bytes to an open file.

    Raises:
      UserError: the disk is full, or the file cannot be written.
    """
    try:  # a nearly full disk takes a part of the bytes first, and reports its error then
        while data:
            data = data[file.write(data) :]
    except OSError as error:
        raise cannot_write(path, error) from error


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write one JSON object; NaN and infinities become the strings `nan`, `inf` and `-inf`.

    Raises:
      UserError: the file cannot be written.
    """
    write_text(path, json.dumps(_encode(values), indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any] | None:
    """Read a file of `write_json`; None where it is missing or is not a JSON object."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return {key: _decode(value) for key, value in values.items()} if _is_object(values) else None


def make_directory(path: Path) -> None:
    """Create a folder, and its parents, and check that files can be written in it.

    Raises:
      UserError: it cannot be created, or nothing can be written in it.
    """
    probe = path / f".probe.{os.getpid()}"
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> UserError:
    """Return the error for an output file or folder that cannot be written."""
    reason = error.strerror or str(error)
    return UserError(
        f"cannot write {path} ({reason}); free some space or mend its permissions, or choose "
        "another place with output_dir=DIR."
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


def _is_object(values: Any) -> bool:
    return isinstance(values, dict)
