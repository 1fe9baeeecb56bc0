"""`sweeps run FILE.py:FUNCTION KEY=VALUE...`: a function as a command, without a decorator."""

import argparse
import sys
from collections.abc import Sequence

from sweeps.cli.exit import exit_on_user_error
from sweeps.cli.version import add_version
from sweeps.experiments import load_experiment


def main(arguments: Sequence[str] | None = None, command: str = "sweeps run") -> None:
    """Run the command.

    Args:
      arguments: command-line arguments; None for those of this process.
      command: name of the command in its help.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = make_parser(command)
    # What follows the function are overrides and flags of Hydra.
    options = parser.parse_args(given[:1])
    with exit_on_user_error():
        experiment = load_experiment(options.function)
    experiment.main(given[1:])


def make_parser(command: str) -> argparse.ArgumentParser:
    """Return the parser of the command's arguments."""
    parser = argparse.ArgumentParser(
        prog=command,
        usage=f"{command} FILE.py:FUNCTION [KEY=VALUE ...] | reproduce FOLDER",
        description="Train a function once, or sweep over its arguments where they have several "
        "values, as in lr=0.1,0.01. The function needs no decorator.",
    )
    add_version(parser)
    parser.add_argument("function", metavar="FILE.py:FUNCTION", help="also package.module:FUNCTION")
    return parser
