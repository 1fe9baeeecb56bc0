"""Classes and functions that an option names by dotted path."""

import importlib
import inspect
from collections.abc import Callable
from typing import Any

from sweeps.errors import UserError, first_line


def locate_option(option: str, path: str) -> Callable[..., Any]:
    """Import the class or function at `package.module.name`, which an option names.

    Args:
      option: key of the option.
      path: its value.

    Raises:
      UserError: there is none.
    """
    module, _, name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
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
