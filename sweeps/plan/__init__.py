"""Plan of a sweep: its trials, their packs and costs, and which of them are left to run.

The names below are imported when they are first used: an application that only says what its
trials cost loads no more than that.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweeps.plan.cost import Cost
    from sweeps.plan.packs import Packer, PackLimits
    from sweeps.plan.pending import PendingTrials
    from sweeps.plan.planner import Planner
    from sweeps.plan.sweep_plan import SweepPlan, plan_sweep

_MODULES = {
    "Cost": "sweeps.plan.cost",
    "PackLimits": "sweeps.plan.packs",
    "Packer": "sweeps.plan.packs",
    "PendingTrials": "sweeps.plan.pending",
    "Planner": "sweeps.plan.planner",
    "SweepPlan": "sweeps.plan.sweep_plan",
    "plan_sweep": "sweeps.plan.sweep_plan",
}

__all__ = [
    "Cost",
    "PackLimits",
    "Packer",
    "PendingTrials",
    "Planner",
    "SweepPlan",
    "plan_sweep",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)
