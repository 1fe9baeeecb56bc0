"""Writing files so that a reader never sees half of one, and JSON that can hold any metric."""

import json
import math
import os
from collections.abc import Mapping
from io import FileIO
from pathlib import Path
from typing import Any

from sweeps.errors import UserError


def write_text(path: Path, text: str) -> None:
    """Replace a file's contents in one step: a reader sees the old text or the new one.

    Raises:
      UserError: the file cannot be written (full disk, no permission).
    """
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, data: bytes, beside: str = "") -> None:
    """The same for what is no text; `beside` names the file that is written first and renamed."""
    new = path.with_name(f".{beside or path.name}.{os.getpid()}")
    try:
        new.write_bytes(data)
        new.replace(path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise cannot_write(path, error) from error


def write_fully(file: FileIO, data: bytes, path: Path) -> None:
    """Write to the end; a nearly full disk takes a part first and gives its error then."""
    try:
        while data:
            data = data[file.write(data) :]
    except OSError as error:
        raise cannot_write(path, error) from error


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write one JSON object; numbers that JSON lacks become the strings nan, inf and -inf."""
    write_text(path, json.dumps(_encode(values), indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any] | None:
    """Read what `write_json` wrote; None where the file is missing or is not a JSON object."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return {key: _decode(value) for key, value in values.items()} if _is_object(values) else None


def make_directory(path: Path) -> None:
    """Create a folder that can be written to.

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
    """The sentence for an output that cannot be written."""
    reason = error.strerror or str(error)
    return UserError(
        f"cannot write {path} ({reason}); free some space or mend its permissions, or choose "
        "another place with output_dir=DIR."
    )


_WORDS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


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
    return _WORDS.get(value, value) if isinstance(value, str) else value


def _is_object(values: Any) -> bool:
    return isinstance(values, dict)
