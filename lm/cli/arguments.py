"""Argparse types, and the arguments that several commands take."""

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sweeps.cli.version import add_version

T = TypeVar("T")


def trial_parser(program: str, description: str) -> argparse.ArgumentParser:
    """Return a parser whose first argument, `directory`, is a trial's folder."""
    parser = argparse.ArgumentParser(prog=program, description=description)
    parser.add_argument(
        "directory", type=Path, metavar="FOLDER", help="a trial's folder: outputs/SWEEP/TRIAL"
    )
    add_version(parser)
    return parser


def add_location(parser: argparse.ArgumentParser) -> None:
    """Add `--root` and `--files`, which say where a trial's text lies now."""
    parser.add_argument(
        "--root",
        type=Path,
        metavar="DIR",
        help="folder in which the text of the trial lies now, should it have moved: data.root",
    )
    parser.add_argument(
        "--files",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="the files of that text, in their order: data.files",
    )


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
    """Add `--checkpoint`, which of a trial's checkpoints is taken."""
    parser.add_argument(
        "--checkpoint",
        type=_checkpoint,
        metavar="best|last|STEP",
        help="of which the weights are taken: best, by the metric that ranks the trial; last; or "
        "that of an update step (default: best where there is one, else last)",
    )


def _checkpoint(text: str) -> str | int:
    if text in ("best", "last"):
        return text
    if text.isdecimal():
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no checkpoint; give best, last or a step")


def comma_list(one: Callable[[str], T]) -> Callable[[str], list[T]]:
    """Return an argparse type for values with commas between them; `one` reads a value."""

    def parse(text: str) -> list[T]:
        return [one(part.strip()) for part in text.split(",")]

    return parse


def positive_int(text: str, at_least: int = 1) -> int:
    """Read a whole number."""
    if not (text.isdecimal() and int(text) >= at_least):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {at_least}")
    return int(text)


def checked_float(text: str, what: str, good: Callable[[float], bool]) -> float:
    """Read a number; `what` says which ones are good, as in "a number of at least 0"."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not good(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
    return value
