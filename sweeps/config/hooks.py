"""Functions that an application names in its configuration by dotted path."""

import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sweeps.errors import UserError


def locate(path: str) -> Callable[..., Any]:
    """Import the function at `package.module.name`.

    Raises:
      UserError: there is no such function.
    """
    module, _, name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ModuleNotFoundError, AttributeError, ValueError) as error:
        raise UserError(
            f"{path} cannot be imported ({error}); install what is missing, or mend its name in "
            "hydra.sweeper."
        ) from error
    assert callable(found)
    return found  # type: ignore[no-any-return]


def source_folder(path: str) -> Path:
    """The folder of the module that holds the function at a dotted path, without importing it."""
    spec = importlib.util.find_spec(path.rpartition(".")[0])
    return Path(spec.origin).parent if spec and spec.origin else Path.cwd()
