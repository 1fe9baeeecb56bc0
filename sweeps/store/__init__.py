"""Files of trials and sweeps: what is written, and what can be read back."""

from sweeps.store.fingerprint import fingerprint
from sweeps.store.metrics import read_metrics
from sweeps.store.provenance import Provenance
from sweeps.store.status import TrialStatus
from sweeps.store.sweep import Sweep, read_sweep
from sweeps.store.trial import (
    Trial,
    TrialSpec,
    move_aside,
    read_config,
    read_trial,
    write_trial,
)

__all__ = [
    "Provenance",
    "Sweep",
    "Trial",
    "TrialSpec",
    "TrialStatus",
    "fingerprint",
    "move_aside",
    "read_config",
    "read_metrics",
    "read_sweep",
    "read_trial",
    "write_trial",
]
