"""One trial from the objective's side: `Run`, and the ways in which a trial ends early."""

from sweeps.store.status import Diverged, Stop
from sweeps.tracking.active import activate, active_run
from sweeps.tracking.interrupt import Interrupt
from sweeps.tracking.run import OnReport, Run, Stopped

__all__ = ["Diverged", "Interrupt", "OnReport", "Run", "Stop", "Stopped", "activate", "active_run"]
