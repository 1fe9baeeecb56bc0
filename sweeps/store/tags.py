"""Words that a user gives a trial: `tags.json` in its folder, which nothing else writes."""

from collections.abc import Iterable
from pathlib import Path

from sweeps.errors import UserError
from sweeps.naming import is_label
from sweeps.store.format import FieldTypes, read_fields, write_fields

TAGS_FILE = "tags.json"

TAGS_TYPES: FieldTypes = {"tags": tuple[str, ...]}


def read_tags(directory: Path) -> tuple[str, ...]:
    """Return a trial's tags in the order in which they were given; none where there is no file.

    Raises:
      UserError: the file has another format.
    """
    fields = read_fields(directory / TAGS_FILE, TAGS_TYPES) or {}
    return tuple(fields.get("tags", ()))


def write_tags(directory: Path, tags: Iterable[str]) -> tuple[str, ...]:
    """Replace a trial's tags, and return them, each once.

    Raises:
      UserError: one is no word, or the file cannot be written.
    """
    words = tuple(dict.fromkeys(tags))
    for word in words:
        if not word or not is_label(word):
            raise UserError(f"{word!r} is no tag; use letters, digits and ._+- only.")
    if words:
        write_fields(directory / TAGS_FILE, {"tags": words})
    else:
        (directory / TAGS_FILE).unlink(missing_ok=True)
    return words
