"""`sweeps reproduce`: train a trial again and compare, by the command that its program recorded."""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence

from sweeps.cli.exit import exit_on_user_error
from sweeps.cli.places import read_named_trial
from sweeps.cli.version import add_version
from sweeps.errors import UserError
from sweeps.io.console import make_console, print_line


@exit_on_user_error()
def main(arguments: Sequence[str] | None = None, command: str = "sweeps reproduce") -> None:
    """Run the command, which takes the place of this process.

    Args:
      arguments: command-line arguments; None for those of this process.
      command: name of the command in its help.
    """
    options, further = make_parser(command).parse_known_args(arguments)
    trial = read_named_trial(options.trial)
    if not trial.reproduce_command:
        raise UserError(
            f"{trial.directory} records no command that reproduces it; train it again with "
            f"{trial.train_command or 'the command of its program'}, and compare metrics.csv."
        )
    words = [*shlex.split(trial.reproduce_command), str(trial.directory), *further]
    print_line(make_console(), shlex.join(words))
    sys.stdout.flush()
    program = sys.executable if words[0] == "python" else words[0]
    try:
        os.execvp(program, [program, *words[1:]])
    except OSError as error:
        raise UserError(
            f"{words[0]} cannot be run ({error.strerror}); give this command where the program "
            "that trained the trial is installed."
        ) from error


def make_parser(command: str) -> argparse.ArgumentParser:
    """Return the parser of the command's arguments."""
    parser = argparse.ArgumentParser(
        prog=command,
        usage=f"{command} TRIAL [ARGUMENT ...]",
        description="Train a trial again and compare all that it reported, by the command that is "
        "recorded in its trial.json. Further arguments are passed on to that command.",
        allow_abbrev=False,
    )
    parser.add_argument("trial", metavar="TRIAL", help="a trial's folder: outputs/SWEEP/TRIAL")
    add_version(parser)
    return parser


if __name__ == "__main__":
    main()
