"""Options as dataclass fields: the unit, the range and the meaning stand in each field's
metadata."""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any

from omegaconf import MISSING

from sweeps.errors import UserError


def option(
    meaning: str,
    *,
    unit: str = "",
    choices: Sequence[str] = (),
    at_least: float = -math.inf,
    above: float = -math.inf,
    at_most: float = math.inf,
    below: float = math.inf,
) -> Any:
    """A field of the schema; its default stands in `conf/`."""
    metadata = {
        "meaning": meaning,
        "unit": unit,
        "choices": tuple(choices),
        "range": (at_least, above, at_most, below),
    }
    return field(default=MISSING, metadata=metadata)


def check_ranges(section: Any, prefix: str = "") -> None:
    """Refuse an option of a section that is out of its range.

    Raises:
      UserError: one is.
    """
    for key, value, metadata in walk_options(section, prefix):
        check_range(key, value, metadata)


def walk_options(section: Any, prefix: str = "") -> Iterator[tuple[str, Any, Mapping[str, Any]]]:
    for item in dataclasses.fields(section):
        value = getattr(section, item.name)
        if dataclasses.is_dataclass(value):
            yield from walk_options(value, f"{prefix}{item.name}.")
        elif item.metadata:
            yield prefix + item.name, value, item.metadata


def check_range(key: str, value: Any, metadata: Mapping[str, Any]) -> None:
    if (choices := metadata["choices"]) and value not in choices:
        raise UserError(f"{key}={value} is not known; choose one of {', '.join(choices)}.")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    at_least, above, at_most, below = metadata["range"]
    for bound, holds, words in (
        (at_least, value >= at_least, "at least"),
        (above, value > above, "above"),
        (at_most, value <= at_most, "at most"),
        (below, value < below, "below"),
    ):
        if not holds and not math.isinf(bound):
            raise UserError(f"{key}={value} is out of range; it must be {words} {bound}.")
    if not math.isfinite(value):
        raise UserError(f"{key}={value} is not a finite number; give one, or null where allowed.")
