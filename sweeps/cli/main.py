"""`sweeps COMMAND`: look at sweeps, manage them, and export them."""

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import NamedTuple

from sweeps.cli.version import add_version


class Command(NamedTuple):
    """A command of `sweeps`."""

    module: str
    """Has the functions `main(arguments, command)` and `make_parser(command)`."""
    about: str


COMMANDS = {
    "run": Command("sweeps.run_command", "train or sweep a function: FILE.py:FUNCTION KEY=VALUES"),
    "ls": Command("sweeps.cli.listing", "list the sweeps below a folder"),
    "show": Command("sweeps.cli.show", "show a sweep's ranked table, or a trial"),
    "logs": Command("sweeps.cli.logs", "print what a trial wrote to its output"),
    "stop": Command("sweeps.cli.stop", "have a running sweep, or one trial, save and stop"),
    "rm": Command("sweeps.cli.remove", "remove trials"),
    "tag": Command("sweeps.cli.tag", "give a trial words to find it by"),
    "compare": Command("sweeps.cli.compare", "rank trials, weigh the axes, write a page"),
    "board": Command("sweeps.cli.board", "see runs in TensorBoard"),
    "reproduce": Command("sweeps.cli.reproduce", "train a trial again and compare"),
    "export": Command("sweeps.cli.export", "write a sweep to Optuna, MLflow or Weights & Biases"),
    "completion": Command("sweeps.cli.completion", "print a script for tab completion"),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; None: that of this process's arguments. Its module alone is imported."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    name = _parser().parse_args(given[:1]).command
    run: Callable[[Sequence[str], str], None] = import_module(COMMANDS[name].module).main
    run(given[1:], f"sweeps {name}")


def _parser() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS))
    lines = "\n".join(f"  {name:{width}}  {one.about}" for name, one in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="sweeps",
        usage="sweeps COMMAND ...",
        description="Look at sweeps, manage them, and export them.",
        epilog=f"commands:\n{lines}\n\n`sweeps COMMAND --help` explains each.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help="see below")
    add_version(parser)
    return parser
