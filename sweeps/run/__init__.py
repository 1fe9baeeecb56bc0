"""One trial from the objective's side: `Run`, and the ways in which a trial ends early."""

from sweeps.run.interrupt import Interrupt
from sweeps.run.run import OnReport, Run
from sweeps.store.status import Diverged, Stop

__all__ = ["Diverged", "Interrupt", "OnReport", "Run", "Stop"]
