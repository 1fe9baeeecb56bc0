"""What a command does with errors: a sentence on stderr and a status for the shell."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from sweeps.errors import UserError

INTERRUPTED = 130
"""Exit status after Ctrl-C: 128 + SIGINT, as shells have it."""


@contextmanager
def exit_on_user_error() -> Iterator[None]:
    """End the process with a sentence instead of a traceback; usable as a decorator too.

    A `UserError` prints `error: <sentence>` to stderr and exits with 1, Ctrl-C exits with 130;
    everything else passes through with its traceback, for it is a fault of the program.
    """
    try:
        yield
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
