"""`python -m lm.reproduce outputs/SWEEP/TRIAL`: train it again, and compare all that it reported.

Lists what of code, packages, text and device is not as it was recorded. The exit status is 0 where
every value is the same; with other threads or another device, where it is within `--tolerance`.
"""

import sys
from collections.abc import Mapping
from typing import Any

from lm.cli.arguments import add_location
from lm.config import CONFIG_DIR
from lm.data.location import TextLocation
from sweeps.config import read_application
from sweeps.reproduce.command import OwnOptions, main


def _relocated(own: Mapping[str, Any], raw_config: dict[str, Any]) -> dict[str, Any]:
    return TextLocation(own.get("root"), tuple(own.get("files", ()))).apply(raw_config)


OPTIONS = OwnOptions(
    add=add_location,
    apply=_relocated,
    advice="If its text lies elsewhere now, give --root DIR or --files FILE.",
)
"""`--root` and `--files`: where the trial's text lies now."""


def run() -> int:
    """Run the command with the arguments of this process; returns its exit status."""
    return main(read_application(CONFIG_DIR / "config.yaml"), own_options=OPTIONS)


if __name__ == "__main__":
    sys.exit(run())
