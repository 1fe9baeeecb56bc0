"""Everything that uses Ray: the cluster, Ray Tune's tuner, and the workers that train trials.

The names below are imported when they are first used; Ray itself is imported within functions.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweeps.tune.outcome import MemoryRanOut, Outcome
    from sweeps.tune.task import WorkerTask
    from sweeps.tune.tuner import run_trials

_MODULES = {
    "MemoryRanOut": "sweeps.tune.outcome",
    "Outcome": "sweeps.tune.outcome",
    "WorkerTask": "sweeps.tune.task",
    "run_trials": "sweeps.tune.tuner",
}

__all__ = ["MemoryRanOut", "Outcome", "WorkerTask", "run_trials"]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)
