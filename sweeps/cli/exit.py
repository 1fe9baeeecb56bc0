"""Exit of commands on errors: a sentence on stderr, and a status for the shell."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from sweeps.errors import UserError

INTERRUPTED = 130
"""Exit status after Ctrl-C: 128 + SIGINT, by the convention of shells."""


@contextmanager
def exit_on_user_error() -> Iterator[None]:
    """End the process with a sentence instead of a traceback; also a decorator.

    A `UserError` prints `error: <sentence>` to stderr and exits with 1. Ctrl-C exits with 130. Any
    other exception is a fault of the program, and keeps its traceback.
    """
    try:
        yield
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
