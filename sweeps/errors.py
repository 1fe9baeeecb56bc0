"""Errors that a user can correct, interruptions, and the text of any error in one line."""

import signal


class UserError(Exception):
    """Bad input: one sentence that says what was wrong and what to do about it.

    Commands print the sentence without a traceback and exit with status 1.
    """


class Interrupted(KeyboardInterrupt):
    """A signal ended the work; what was done is saved."""

    def __init__(self, message: str, number: signal.Signals) -> None:
        """Name the signal: a command exits with 128 and its number."""
        super().__init__(message)
        self.number = number


def one_line_error(error: BaseException, unnamed: tuple[type[BaseException], ...]) -> str:
    """Return an error's whole text in one line, after the name of its type.

    Args:
      error: any exception.
      unnamed: types whose name is left out, as their text says enough.
    """
    text = " ".join(str(error).split())
    if isinstance(error, unnamed):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, at most 200 characters.

    The texts of libraries may be pages long. An error without a text gives the name of its type.
    """
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
