"""The axes of results: which are numbers, and in what order their labels stand. Pure."""

import math
import re
from collections.abc import Iterable
from itertools import pairwise

MISSING = ""
"""The label of a trial whose sweep does not know the axis."""
MAX_VALUES = 12
"""A numeric axis with more values is shown in ranges."""
RANGES = 8


def parse_number(label: str) -> float | None:
    """A label as a number, infinities included; None where it is something else."""
    try:
        value = float(label)
    except ValueError:
        return None
    # Python reads `1_000` and `nan` as numbers; as labels they are names.
    return None if math.isnan(value) or re.search("_", label) else value


def are_numbers(labels: Iterable[str]) -> bool:
    """Whether all labels that are there are numbers."""
    there = [label for label in labels if label != MISSING]
    return bool(there) and all(parse_number(label) is not None for label in there)


def sort_labels(labels: Iterable[str]) -> list[str]:
    """Distinct labels: numbers by size, then names in the order in which they came."""
    distinct = list(dict.fromkeys(label for label in labels if label != MISSING))
    sizes = {label: parse_number(label) for label in distinct}
    # Sorting is stable: names keep their order.
    return sorted(distinct, key=lambda label: math.inf if (n := sizes[label]) is None else n)


def label_ranges(labels: Iterable[str]) -> dict[str, list[str]]:
    """What an axis is summarised by: name -> its labels, in order.

    Each label for itself; for numbers drawn from an interval, ranges with equally many values.
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


def _short(label: str) -> str:
    return label if len(label) <= 6 else f"{float(label):.3g}"
