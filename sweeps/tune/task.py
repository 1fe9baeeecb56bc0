"""What a sweep's driver tells its workers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class WorkerTask:
    """What all trials of a sweep share."""

    objective: str
    """Dotted path of a function (config, run)."""
    metric: str
    mode: str
    identify: str = ""
    """Dotted path of a function config -> what defines its result."""
    environment: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Recorded in each trial's provenance."""
    folder: str = "."
    """The driver's working directory, to which a configuration's paths are relative."""
    stop_file: str = ""
    """While it exists, trials save and end."""
    pack: str = ""
    """Dotted path of a function (configs, runs) that trains several together."""
    rule: str = "none"
    """The scheduler's kind."""
    url: str = ""
    """Where results are kept, if that is no folder that all machines have."""
    trial_seconds: float | None = None
    """A trial's time is up after so long."""
    time: str = "step"
    """What schedulers count: `step`, or a tag."""
    schedule_option: str = ""
    """Option under which the application takes changes of numbers during training."""
    train_command: str = ""
    """Command that runs a trial alone, given its overrides."""
