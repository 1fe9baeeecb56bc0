"""What happens in a Ray worker: one trial after another, each in its own folder."""

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sweeps.hooks import locate
from sweeps.run import OnReport, Run
from sweeps.store import read_config

REPORT_SECONDS = 1.0
"""Time between two messages to the driver: each waits for its answer."""


@dataclass(frozen=True)
class Work:
    """What all trials of a sweep share."""

    objective: str
    """Dotted path of a function (config, run)."""
    metric: str
    mode: str
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: str = "."
    """The driver's working directory, to which a configuration's paths are relative."""


def train_trial(directory: Path, work: Work, on_report: OnReport) -> None:
    """Train the trial in a folder; whatever becomes of it is written there.

    Python's errors end here, since trying them again would fail again. What Ray must see goes on:
    the `SystemExit(0)` with which it stops a trial, and errors in writing the folder itself.
    """
    # Before the objective's module is imported, as libraries read their thread counts at import.
    os.environ.update(work.environment)
    with suppress(OSError):
        os.chdir(work.folder)
    run = Run(directory, metric=work.metric, mode=work.mode, on_report=on_report)
    entered = False
    try:
        with run:
            entered = True
            locate(work.objective)(read_config(directory), run)
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
    except Exception:
        if not entered:
            raise


class Throttle:
    """Passes on every report that is due, with the latest value of each tag."""

    def __init__(self, send: OnReport) -> None:
        self._send = send
        self._sent = float("-inf")
        self._latest: dict[str, Any] = {}

    def __call__(self, step: int, metrics: Mapping[str, float], total_steps: int | None) -> None:
        """Take a report; send it unless one was sent within the last second."""
        self._latest.update(metrics)
        if time.monotonic() - self._sent >= REPORT_SECONDS:
            self._send(step, self._latest, total_steps)
            self._sent = time.monotonic()
