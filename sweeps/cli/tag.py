"""`sweeps tag`: give a trial words to find it by, or take them away."""

import argparse
from collections.abc import Sequence

from sweeps.cli.exit import exit_on_user_error
from sweeps.cli.places import read_named_trial, refuse_local_copy
from sweeps.cli.version import add_version
from sweeps.errors import UserError, did_you_mean
from sweeps.io.console import make_console, print_line
from sweeps.store.tags import write_tags


@exit_on_user_error()
def main(arguments: Sequence[str] | None = None, command: str = "sweeps tag") -> None:
    """Run the command.

    Args:
      arguments: command-line arguments; None for those of this process.
      command: name of the command in its help.
    """
    options = make_parser(command).parse_intermixed_args(arguments)
    trial = read_named_trial(options.trial)
    tags, words = trial.tags, options.words
    if words:
        refuse_local_copy(trial.directory)
        if options.remove:
            for word in words:
                if word not in tags:
                    raise UserError(
                        f"{trial.directory} has no tag {word}; {did_you_mean(word, tags)}."
                    )
            tags = tuple(tag for tag in tags if tag not in words)
        else:
            tags = (*tags, *words)
        tags = write_tags(trial.directory, tags)
    elif options.remove:
        raise UserError(f"--remove needs the tags to take away; {did_you_mean('', tags)}.")
    name = trial.directory.resolve().name
    print_line(make_console(), f"{name}: {', '.join(tags) if tags else 'no tags'}")


def make_parser(command: str) -> argparse.ArgumentParser:
    """Return the parser of the command's arguments."""
    parser = argparse.ArgumentParser(
        prog=command,
        description="Give a trial words to find it by; without a word, show those it has. They are "
        "kept in tags.json in the trial's folder, and change no result.",
    )
    add = parser.add_argument
    add("trial", metavar="TRIAL", help="a trial's folder: outputs/SWEEP/TRIAL, or outputs/SWEEP/ID")
    add("words", nargs="*", metavar="WORD", help="of letters, digits and ._+-")
    add("--remove", action="store_true", help="take these words away")
    add_version(parser)
    return parser


if __name__ == "__main__":
    main()
