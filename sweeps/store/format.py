"""The JSON files of trials and sweeps: their format number, and the types of their fields.

A file of another format is refused in one sentence, so that it is never misread. A field that is
not known is left alone: a later version may have written it.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge, Gt, Lt

from sweeps.errors import UserError
from sweeps.io.atomic import read_json, write_json

FORMAT = 1
"""Changes when a file written before could be misread."""

MOST = 2**53
"""Counts from here on are no counts: a number of JSON has no more digits than that."""

StepNumber = Annotated[int, Ge(0), Lt(MOST)]
PositiveCount = Annotated[int, Gt(0), Lt(MOST)]
NonNegative = Annotated[float, Ge(0), Lt(MOST)]
"""A number of seconds; NaN and infinity are none."""

FieldTypes = Mapping[str, Any]
"""Name of a field -> its type, as pydantic understands types."""


class FormatError(UserError):
    """A file has a format that this version cannot read."""


def write_fields(path: Path, fields: Mapping[str, Any], *, durable: bool = True) -> None:
    """Write a JSON object together with the number of its format.

    Args:
      path: the file.
      fields: the object.
      durable: see `sweeps.io.atomic.write_bytes`.

    Raises:
      UserError: it cannot be written.
    """
    write_json(path, {"format": FORMAT, **fields}, durable=durable)


def read_fields(path: Path, types: FieldTypes) -> dict[str, Any] | None:
    """Read what `write_fields` wrote; None where the file is missing or damaged.

    A file with a field of a wrong type is damaged.

    Args:
      path: the file.
      types: of the fields that are checked, and converted to these types.

    Raises:
      FormatError: the file has no format number, or another one.
    """
    fields, wrong = _read(path, types)
    return None if wrong else fields


def read_sound_fields(path: Path, types: FieldTypes) -> dict[str, Any]:
    """Read what `write_fields` wrote, without the fields of a wrong type.

    Args:
      path: the file; it has no fields where it is missing or damaged.
      types: of the fields that are checked, and converted to these types.

    Raises:
      FormatError: the file has no format number, or another one.
    """
    return _read(path, types)[0] or {}


def _read(path: Path, types: FieldTypes) -> tuple[dict[str, Any] | None, list[str]]:
    """Return the fields that have their types, and the names of the others."""
    fields = read_json(path)
    if not fields:
        return None, []
    found = fields.pop("format", None)
    if type(found) is not int or found != FORMAT:
        raise FormatError(
            f"{path} {_written(found)}, and this version reads format {FORMAT} only; move "
            f"{path.parent} elsewhere, or read it with the version that wrote it."
        )
    wrong = []
    for name in fields.keys() & types.keys():
        from pydantic import ValidationError

        try:
            fields[name] = _adapter(types[name]).validate_python(fields[name])
        except ValidationError:
            del fields[name]
            wrong.append(name)
    return fields, wrong


def _written(found: Any) -> str:
    if found is None:
        return "has no format number: an earlier version wrote it"
    return f"has format {str(found)[:20]}: another version wrote it"


@cache
def _adapter(wanted: Any) -> Any:
    from pydantic import ConfigDict, TypeAdapter

    # JSON has the label `inf` as it has the number, see `read_json`.
    return TypeAdapter(wanted, config=ConfigDict(coerce_numbers_to_str=True))
