"""Start and end of commands: their output, a sentence on errors, and a status for the shell."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from sweeps.cli.output import prepare_output
from sweeps.errors import UserError

INTERRUPTED = 130
"""Exit status after Ctrl-C: 128 + SIGINT, by the convention of shells."""


@contextmanager
def exit_on_user_error(*, goes_on: bool = False) -> Iterator[None]:
    """End the process with a sentence instead of a traceback; also a decorator.

    A `UserError` prints `error: <sentence>` to stderr and exits with 1. Ctrl-C exits with 130. Any
    other exception is a fault of the program, and keeps its traceback.

    Args:
      goes_on: whether the command goes on where its output cannot be written any more; see
        `sweeps.cli.output.prepare_output`.
    """
    prepare_output(goes_on=goes_on)
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
