"""Classes and functions that an option names by dotted path."""

import inspect
from collections.abc import Callable
from typing import Any

from sweeps.config.hooks import find
from sweeps.errors import UserError, first_line


def locate_option(option: str, path: str) -> Callable[..., Any]:
    """Import the class or function that an option names, see `sweeps.config.locate`.

    Args:
      option: key of the option.
      path: its value.

    Raises:
      UserError: there is none.
    """
    try:
        found = find(path)
    except (ImportError, FileNotFoundError, AttributeError, ValueError) as error:
        raise UserError(
            f"{option}={path} cannot be imported ({first_line(error)}); install what is missing, "
            "or mend the name."
        ) from error
    if not callable(found):
        raise UserError(f"{option}={path} is neither a class nor a function; name one.")
    return found  # type: ignore[no-any-return]


def takes_argument(make: Callable[..., Any], name: str) -> bool:
    """Return whether a class or function has an argument of this name."""
    try:
        return name in inspect.signature(make).parameters
    except (TypeError, ValueError):  # built in, without a signature
        return False
