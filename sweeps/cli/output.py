"""Standard output and standard error of commands: what they cannot take does not end a training.

A reader may go away (`| head -1`, a `tee` that died, a terminal that was closed), a file's disk may
be full, and an encoding may lack signs of what is printed.
"""

import io
import os
import sys
from typing import Any, TextIO

from sweeps.errors import UserError

OUTPUT_CLOSED = 141
"""Exit status of a command whose reader went away: 128 + SIGPIPE, by the convention of shells."""


def prepare_output(*, goes_on: bool) -> None:
    """Make standard output and standard error fit for a command; call it at the command's start.

    Signs that the encoding of the output lacks are replaced. A stream that was closed, or that
    cannot be written any more, is written to nowhere.

    Args:
      goes_on: whether the command has work to do that nobody need look at, as training has. Any
        other ends where its output cannot be written: as `OUTPUT_CLOSED`, or with a `UserError`.
    """
    if sys.stdin is None:
        _open_nowhere(0)
    sys.stdout = _prepared(sys.stdout, sys.__stdout__, 1, goes_on=goes_on)
    sys.stderr = _prepared(sys.stderr, sys.__stderr__, 2, goes_on=True)


class _Output(io.FileIO):
    """The file of standard output or error, whose failed writes do not raise an `OSError`."""

    def __init__(self, number: int) -> None:
        super().__init__(number, "w", closefd=False)
        self.goes_on = True

    def write(self, data: Any) -> int:
        """Write; after a failure all goes nowhere."""
        try:
            return super().write(data)
        except OSError as error:
            _open_nowhere(self.fileno())
            if self.goes_on:
                return len(data)
            if isinstance(error, BrokenPipeError):
                raise SystemExit(OUTPUT_CLOSED) from error
            raise UserError(
                f"cannot write the output ({error.strerror}); mend that, or send it elsewhere."
            ) from error


def _prepared(stream: TextIO | None, own: TextIO | None, number: int, *, goes_on: bool) -> TextIO:
    """The stream to use in place of `stream`; `own` is what the process began with."""
    if stream is None:  # it was closed, so that the next file that is opened would take its place
        _open_nowhere(number)
        return _text(_Output(number), "utf-8", "replace", buffered=True)
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    raw = getattr(stream.buffer, "raw", stream.buffer)
    if isinstance(raw, _Output):
        raw.goes_on = goes_on
        return stream
    errors = "replace" if number == 1 else "backslashreplace"
    if stream is not own or stream.fileno() != number:  # another program's, as a test's
        stream.reconfigure(errors=errors)
        return stream
    stream.flush()
    raw = _Output(number)
    raw.goes_on = goes_on
    return _text(raw, stream.encoding, errors, buffered=not stream.write_through)


def _text(raw: _Output, encoding: str, errors: str, *, buffered: bool) -> TextIO:
    return io.TextIOWrapper(
        io.BufferedWriter(raw) if buffered else raw,
        encoding=encoding,
        errors=errors,
        line_buffering=raw.isatty() or raw.fileno() == 2 or not buffered,
        write_through=not buffered,
    )


def _open_nowhere(number: int) -> None:
    """Have a file descriptor read nothing and write to nowhere."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere == number:
        os.set_inheritable(nowhere, True)
    else:
        os.dup2(nowhere, number)
        os.close(nowhere)
