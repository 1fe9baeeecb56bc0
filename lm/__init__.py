"""Recurrent language models, trained alone or in sweeps.

`lm.load(FOLDER)` gives a trained model as a Python object. It is imported when it is first used, so
that `import lm` does not load JAX.

The files beside this one are commands, `python -m lm.train` and so on; everything else is in a
package. docs/architecture.md says what is where.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lm.inference.model import Model, load
    from lm.inference.scored_text import ScoredText

_MODULES = {
    "Model": "lm.inference.model",
    "ScoredText": "lm.inference.scored_text",
    "load": "lm.inference.model",
}
"""Public name -> the module that it is imported from at its first use (PEP 562)."""

__all__ = ["Model", "ScoredText", "load"]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
