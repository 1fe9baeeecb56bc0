"""Start and end of commands: their output, a sentence on errors, and a status for the shell."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from sweeps.cli.output import prepare_output
from sweeps.errors import Interrupted, UserError


def signal_status(number: signal.Signals) -> int:
    """Return the exit status after a signal: 128 and its number, by the convention of shells."""
    return 128 + number


@contextmanager
def exit_on_user_error(*, goes_on: bool = False) -> Iterator[None]:
    """End the process with a sentence instead of a traceback; also a decorator.

    A `UserError` prints `error: <sentence>` to stderr and exits with 1. After a signal the status
    is 128 and its number: 130 after Ctrl-C, 143 after SIGTERM. Any other exception is a fault of
    the program, and keeps its traceback.

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
    except KeyboardInterrupt as error:
        print("interrupted", file=sys.stderr)
        number = error.number if isinstance(error, Interrupted) else signal.SIGINT
        sys.exit(signal_status(number))
