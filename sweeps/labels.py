"""Labels of an axis: which are numbers, in what order they stand, ranges, short forms. Pure."""

import math
from collections.abc import Iterable
from itertools import pairwise

MISSING = ""
"""Label of a trial whose sweep does not have the axis."""
MAX_VALUES = 12
"""A numeric axis with more values is shown in ranges."""
RANGES = 8
"""Number of ranges of such an axis."""


def parse_number(label: str) -> float | None:
    """Return a label as a number, which may be infinite; None where it is something else."""
    try:
        value = float(label)
    except ValueError:
        return None
    # Python reads `1_000` and `nan` as numbers; as labels they are names.
    return None if math.isnan(value) or "_" in label else value


def are_numbers(labels: Iterable[str]) -> bool:
    """Return whether there are labels other than `MISSING`, and all of them are numbers."""
    known = [label for label in labels if label != MISSING]
    return bool(known) and all(parse_number(label) is not None for label in known)


def sort_labels(labels: Iterable[str]) -> list[str]:
    """Return the distinct labels: numbers by size, then names in the order of their first use."""
    distinct = list(dict.fromkeys(label for label in labels if label != MISSING))
    sizes = {label: parse_number(label) for label in distinct}
    # Sorting is stable: names keep their order.
    return sorted(distinct, key=lambda label: math.inf if (n := sizes[label]) is None else n)


def label_ranges(labels: Iterable[str]) -> dict[str, list[str]]:
    """Return the parts by which an axis is summarised: name -> its labels, in order.

    Each label is a part of its own. Where there are more than `MAX_VALUES` numbers, as in a random
    search, each part is a range with about the same number of values.
    """
    ordered = sort_labels(labels)
    if len(ordered) <= MAX_VALUES or not are_numbers(ordered):
        return {label: [label] for label in ordered}
    cuts = [round(part * len(ordered) / RANGES) for part in range(RANGES + 1)]
    parts = [ordered[start:end] for start, end in pairwise(cuts)]
    names = {f"{_short(part[0])} to {_short(part[-1])}": part for part in parts}
    if len(names) == len(parts):
        return names
    return {f"{part[0]} to {part[-1]}": part for part in parts}


def shorten(text: str, width: int) -> str:
    """Return a text with at most this many characters: of a longer one the middle is left out."""
    if len(text) <= width:
        return text
    kept = max(2, width - len("..."))
    return f"{text[: (kept + 1) // 2]}...{text[len(text) - kept // 2 :]}"


def _short(label: str) -> str:
    return label if len(label) <= 6 else f"{float(label):.3g}"
