"""Errors that a user can mend."""


class UserError(Exception):
    """Bad input: one sentence that says what was wrong and what to do about it.

    Commands print the sentence without a traceback and exit with status 1.
    """


def one_line_error(error: BaseException, plain: tuple[type[BaseException], ...]) -> str:
    """An error's text in one line, after the name of its type unless it is a plain one."""
    text = " ".join(str(error).split())
    if isinstance(error, plain):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
