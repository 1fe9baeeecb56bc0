"""Small states of programs, each in one file: numbers, texts, bytes and arrays by name.

The file is NumPy's `.npz`: one entry for each array, and `state`, JSON of all else. It is replaced
in one step, so a process that is killed leaves the old state or the new one. The state of the best
value of the ranking metric is the file of this name in `best/`.
"""

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sweeps.errors import UserError
from sweeps.io.atomic import link_file, make_directory, write_bytes
from sweeps.io.retry import warn

STATE_FILE = "state.npz"
BEST_FOLDER = "best"
CHECKPOINTS = ("best", "last")
"""Checkpoints that a state can be loaded of."""
_ENTRY = "state"
_BYTES, _ARRAY, _DICT = "bytes", "array", "dict"
_DAMAGES = (
    *(OSError, EOFError, zipfile.BadZipFile, zlib.error, struct.error),  # no archive, or cut short
    *(RuntimeError, MemoryError),  # a damaged header: a version, a size
    *(ValueError, KeyError, TypeError, AttributeError),  # other content
)
"""What reading a damaged file raises."""


@dataclass(frozen=True)
class SavedState:
    """What `Run.save` wrote, and the step of the report before it."""

    step: int
    """-1: nothing had been reported."""
    state: dict[str, Any]


def write_state(folder: Path, step: int, state: Mapping[str, Any]) -> None:
    """Replace the state in a folder.

    Args:
      folder: is made if it is missing.
      step: of the latest report.
      state: by name, numbers, texts, booleans, None, bytes, arrays, and mappings of these.

    Raises:
      UserError: a value is of another kind, or the file cannot be written.
    """
    arrays: dict[str, Any] = {}
    described = {"step": step, "state": _described(state, "", arrays)}
    entries = {_ENTRY: np.frombuffer(json.dumps(described).encode(), np.uint8), **arrays}
    buffer = io.BytesIO()
    np.savez(buffer, **entries)
    make_directory(folder)
    write_bytes(folder / STATE_FILE, buffer.getvalue())


def keep_best_state(folder: Path) -> None:
    """Make the state in a folder the best one.

    Raises:
      UserError: it cannot be written.
    """
    make_directory(folder / BEST_FOLDER)
    link_file(folder / STATE_FILE, folder / BEST_FOLDER / STATE_FILE)


def forget_best_state(folder: Path) -> None:
    """Delete the best state in a folder, if there is one."""
    (folder / BEST_FOLDER / STATE_FILE).unlink(missing_ok=True)
    with suppress(OSError):  # it is not there, or holds what a program put there
        (folder / BEST_FOLDER).rmdir()


def load_state(folder: str | Path, checkpoint: str | None = None) -> dict[str, Any]:
    """Load what `run.save` wrote in a trial, to use it after the sweep.

        state = sweeps.load_state(sweeps.load("outputs/lr").best.directory)

    Args:
      folder: of the trial.
      checkpoint: `best`, by the metric that ranks the trial, or `last`; None: the best where there
        is one, else the last.

    Returns:
      The state by name; arrays are NumPy's.

    Raises:
      UserError: there is no such state.
    """
    if checkpoint not in (None, *CHECKPOINTS):
        raise UserError(f"checkpoint={checkpoint!r} is not known; give {' or '.join(CHECKPOINTS)}.")
    best, last = (Path(folder) / "checkpoints" / place for place in (BEST_FOLDER, ""))
    places = {"best": [best], "last": [last], None: [best, last]}[checkpoint]
    for place in places:
        if (place / STATE_FILE).exists() and (saved := read_state(place)):
            return saved.state
    what = f"{checkpoint} state" if checkpoint else "state"
    raise UserError(
        f"{folder} has no {what} that can be read; the objective writes one with run.save, and "
        "sweep.keep_checkpoints says what is kept of it."
    )


def read_state(folder: Path) -> SavedState | None:
    """Read the state in a folder; None where there is none, or it is damaged."""
    path = folder / STATE_FILE
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as entries:
            described = json.loads(bytes(entries[_ENTRY]))
            state = {name: _value(one, entries) for name, one in described["state"].items()}
            return SavedState(int(described["step"]), state)
    except FileNotFoundError:
        return None
    except _DAMAGES as error:
        warn(f"{path} is damaged ({type(error).__name__}); the trial starts anew.")
        return None


def _described(values: Mapping[str, Any], prefix: str, arrays: dict[str, Any]) -> dict[str, Any]:
    """What JSON says of the values; arrays and bytes are put beside it."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if not isinstance(key, str):
            raise UserError(f"run.save: the name {key!r} is no text; give texts as names.")
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            found[key] = {_DICT: _described(value, f"{name}/", arrays)}
        elif isinstance(value, bytes | bytearray | memoryview):
            found[key] = {_BYTES: _put(np.frombuffer(bytes(value), np.uint8), arrays)}
        elif value is None or type(value) in (bool, int, float, str):
            found[key] = value
        else:
            found[key] = {_ARRAY: _put(_array(name, value), arrays)}
    return found


def _put(array: Any, arrays: dict[str, Any]) -> str:
    entry = f"array{len(arrays)}"
    arrays[entry] = array
    return entry


def _array(name: str, value: Any) -> Any:
    try:
        array = np.asarray(value)
    except Exception as error:  # of whatever library the value is
        raise _refusal(name, value, f" ({error})") from error
    if array.dtype.hasobject or array.dtype.kind == "V":  # such as bfloat16, which .npz forgets
        raise _refusal(name, value, f" (of type {array.dtype})" if array.ndim else "")
    return array


def _refusal(name: str, value: Any, why: str) -> UserError:
    return UserError(
        f"run.save cannot save {name}, a {type(value).__name__}{why}; give numbers, texts, bytes, "
        "arrays of numbers, or mappings of these, and write anything else to files in "
        "run.checkpoints."
    )


def _value(described: Any, entries: Any) -> Any:
    if not isinstance(described, dict):
        return described
    ((kind, found),) = described.items()
    if kind == _DICT:
        return {name: _value(one, entries) for name, one in found.items()}
    array = entries[found]
    return array.tobytes() if kind == _BYTES else array
