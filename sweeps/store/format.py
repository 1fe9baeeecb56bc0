"""The JSON files of trials and sweeps, each with the number of its format.

A file of another format is refused in one sentence, so that it is never misread.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sweeps.errors import UserError
from sweeps.io.atomic import read_json, write_json

FORMAT = 1
"""Changes when a file written before could be misread."""


class FormatError(UserError):
    """A file has a format that this version cannot read."""


def write_fields(path: Path, fields: Mapping[str, Any]) -> None:
    """Write a JSON object together with the number of its format.

    Raises:
      UserError: it cannot be written.
    """
    write_json(path, {"format": FORMAT, **fields})


def read_fields(path: Path) -> dict[str, Any] | None:
    """Read what `write_fields` wrote; None where the file is missing or damaged.

    Raises:
      FormatError: the file has no format number, or another one.
    """
    fields = read_json(path)
    if fields is None:
        return None
    found = fields.pop("format", None)
    if found == FORMAT:
        return fields
    if found is None:
        written = "has no format number: an earlier version wrote it"
    else:
        written = f"has format {found}: another version wrote it"
    raise FormatError(
        f"{path} {written}, and this version reads format {FORMAT} only; move {path.parent} "
        "elsewhere, or read it with the version that wrote it."
    )
