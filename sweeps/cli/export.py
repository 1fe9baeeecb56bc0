"""`sweeps export`: write the trials of a sweep to Optuna, MLflow or Weights & Biases.

A trial that is there already is left alone, so the same command adds those that are new or have
changed since.
"""

import argparse
from collections.abc import Sequence

from sweeps.cli.exit import exit_on_user_error
from sweeps.cli.places import read_named_sweep
from sweeps.cli.version import add_version
from sweeps.errors import UserError
from sweeps.export import KINDS, export_sweep
from sweeps.io.console import make_console, print_line


@exit_on_user_error()
def main(arguments: Sequence[str] | None = None, command: str = "sweeps export") -> None:
    """Run the command.

    Args:
      arguments: command-line arguments; None for those of this process.
      command: name of the command in its help.
    """
    options = make_parser(command).parse_args(arguments)
    kind, target = options.to
    if kind not in KINDS:
        raise UserError(f"--to {kind} is not known; choose {', '.join(KINDS)}.")
    sweep = read_named_sweep(options.folder)
    name = options.name or sweep.folder.resolve().name
    print_line(make_console(), export_sweep(sweep, kind, target, name))


def make_parser(command: str) -> argparse.ArgumentParser:
    """Return the parser of the command's arguments."""
    parser = argparse.ArgumentParser(
        prog=command,
        description="Write the trials of a sweep that have ended to the store of another tool. "
        "Given again, the command adds trials that are new or have changed since.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("folder", metavar="SWEEP", help="a sweep's folder")
    add("--to", nargs=2, required=True, metavar=("KIND", "TARGET"), help="see below")
    add("--name", metavar="NAME", help="of the study, experiment or group (default: the sweep's)")
    add_version(parser)
    return parser


_EPILOG = """\
--to optuna sqlite:///grid.db    a study; see it with optuna-dashboard sqlite:///grid.db
--to mlflow http://host:5000     an experiment with a run for each trial; or sqlite:///mlflow.db
--to wandb PROJECT               a run for each trial; or ENTITY/PROJECT; WANDB_MODE=offline works

A trial of an Optuna study cannot change. Where one has changed since, or a text axis has new
values, the study is made anew.
"""


if __name__ == "__main__":
    main()
