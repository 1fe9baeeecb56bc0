"""The message that a sweep's driver sends to its workers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class WorkerTask:
    """A sweep's options and hooks for its workers, equal for all of its trials."""

    objective: str
    """Dotted path of a function (config, run)."""
    metric: str
    """Tag by which trials are ranked."""
    mode: str
    """`min` or `max`."""
    identify: str = ""
    """Dotted path of a function config -> what defines its result."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Environment variables of the worker."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Facts for each trial's provenance."""
    working_directory: str = "."
    """The driver's, to which a configuration's paths are relative."""
    stop_file: str = ""
    """While this file exists, trials save a checkpoint and end."""
    pack: str = ""
    """Dotted path of a function (configs, runs) that trains the trials of a pack."""
    scheduler: str = "none"
    """The scheduler's kind."""
    url: str = ""
    """URL of the results; empty: they are in a folder that all machines share."""
    time_limit: float | None = None
    """Seconds that a trial may train, resumed parts included."""
    report_seconds: float = 1.0
    """Time between two reports of a trial without a score: each waits for the driver's answer."""
    scheduler_time: str = "step"
    """Unit of the schedulers' time: `step`, or a tag."""
    schedule_option: str = ""
    """Option for changes of numbers during training."""
    train_command: str = ""
    """Command that trains a trial alone, given its overrides."""
    log_megabytes: float = 10.0
    """Cap of a trial's log."""
    charts: bytes = b""
    """Charts of TensorBoard's Custom Scalars tab, as the trial's run carries them."""
    keep_checkpoints: str = "best"
    """What a finished trial keeps of its checkpoints."""
