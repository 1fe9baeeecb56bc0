"""Errors that a user can mend."""


class UserError(Exception):
    """Bad input: one sentence that says what was wrong and what to do about it.

    Commands print the sentence without a traceback and exit with status 1.
    """
