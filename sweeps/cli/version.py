"""The version that commands print, and the option that prints it."""

import argparse
import importlib.metadata
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

DISTRIBUTION = "lm-sweeps"


def version_text() -> str:
    """Return the distribution's name and version: `lm-sweeps 0.1.0`.

    In a checkout that is not installed the version is that of its `pyproject.toml`.
    """
    try:
        return f"{DISTRIBUTION} {importlib.metadata.version(DISTRIBUTION)}"
    except importlib.metadata.PackageNotFoundError:
        return f"{DISTRIBUTION} {_checkout_version()}"


def _checkout_version() -> str:
    try:
        text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
        return f"{tomllib.loads(text)['project']['version']} (not installed)"
    except (OSError, tomllib.TOMLDecodeError, KeyError):
        return "(not installed)"


def add_version(parser: argparse.ArgumentParser) -> None:
    """Add `--version` to a command; the version is looked up when it is asked for."""
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version, and exit")


class _Version(argparse.Action):
    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "dest": argparse.SUPPRESS, "default": argparse.SUPPRESS})

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        print(version_text())
        parser.exit()
