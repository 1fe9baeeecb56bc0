"""Values on the commands' lines: types for argparse."""

import argparse
import math
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def several(one: Callable[[str], T]) -> Callable[[str], list[T]]:
    """Values with commas between them."""

    def parse(text: str) -> list[T]:
        return [one(part.strip()) for part in text.split(",")]

    return parse


def whole(text: str, at_least: int = 1) -> int:
    """A whole number."""
    if not (text.isdecimal() and int(text) >= at_least):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {at_least}")
    return int(text)


def number(text: str, what: str, good: Callable[[float], bool]) -> float:
    """A number; `what` says which ones are good, as in "a number of at least 0"."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not good(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
    return value
