"""Sweeps of any program: its trials, their folders and their metrics.

These names are all that a program and a notebook need. Each is imported when it is first used, so
that `import sweeps` loads neither pandas nor Ray. Modules within the package import from each
other's packages, never from here.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweeps.analysis.comparison import Comparison, compare_sweeps
    from sweeps.analysis.dataframes import Results, load
    from sweeps.errors import UserError
    from sweeps.experiments import Experiment, experiment, run
    from sweeps.plan.cost import Cost
    from sweeps.plan.packs import PackLimits
    from sweeps.store.status import TrialStatus
    from sweeps.store.sweep import Sweep, read_sweep
    from sweeps.store.trial import Trial, read_trial
    from sweeps.tensorboard import Blob, Embedding, Histogram, Summary, Tensor, Text
    from sweeps.tracking import Diverged, Interrupt, OnReport, Run, Stop, active_run
    from sweeps.tracking.state import load_state

_MODULES = {
    "Blob": "sweeps.tensorboard",
    "Comparison": "sweeps.analysis.comparison",
    "Cost": "sweeps.plan.cost",
    "Diverged": "sweeps.tracking",
    "Embedding": "sweeps.tensorboard",
    "Experiment": "sweeps.experiments",
    "Histogram": "sweeps.tensorboard",
    "Interrupt": "sweeps.tracking",
    "OnReport": "sweeps.tracking",
    "PackLimits": "sweeps.plan.packs",
    "Run": "sweeps.tracking",
    "Stop": "sweeps.tracking",
    "Results": "sweeps.analysis.dataframes",
    "Summary": "sweeps.tensorboard",
    "Sweep": "sweeps.store.sweep",
    "Tensor": "sweeps.tensorboard",
    "Text": "sweeps.tensorboard",
    "Trial": "sweeps.store.trial",
    "TrialStatus": "sweeps.store.status",
    "UserError": "sweeps.errors",
    "active_run": "sweeps.tracking",
    "compare_sweeps": "sweeps.analysis.comparison",
    "experiment": "sweeps.experiments",
    "load": "sweeps.analysis.dataframes",
    "load_state": "sweeps.tracking.state",
    "read_sweep": "sweeps.store.sweep",
    "read_trial": "sweeps.store.trial",
    "run": "sweeps.experiments",
}
"""Public name -> the module that it is imported from at its first use (PEP 562)."""

__all__ = [
    "Blob",
    "Comparison",
    "Cost",
    "Diverged",
    "Embedding",
    "Experiment",
    "Histogram",
    "Interrupt",
    "OnReport",
    "PackLimits",
    "Results",
    "Run",
    "Stop",
    "Summary",
    "Sweep",
    "Tensor",
    "Text",
    "Trial",
    "TrialStatus",
    "UserError",
    "active_run",
    "compare_sweeps",
    "experiment",
    "load",
    "load_state",
    "read_sweep",
    "read_trial",
    "run",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
