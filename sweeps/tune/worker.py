"""What happens in a Ray worker: one trial after another, each in its own folder."""

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeps.config.hooks import locate
from sweeps.errors import UserError
from sweeps.io.mirror import mirror_of
from sweeps.run import Run
from sweeps.store.provenance import machine
from sweeps.store.status import is_stuck
from sweeps.store.trial import read_config
from sweeps.tune.task import WorkerTask
from sweeps.tune.time_limit import StopSignal, time_limit

REPORT_SECONDS = 1.0
"""Time between two messages to the driver: each waits for its answer."""

LOCK_SECONDS = 30.0
"""For the worker of a driver that was killed to be gone from a folder."""


@dataclass(frozen=True)
class Report:
    """What the driver gets to know."""

    step: int
    metrics: dict[str, float]
    total_steps: int | None
    score: float | None
    """The ranking metric, where it was just reported and is a finite number."""
    time: float


@contextmanager
def local_copy(directory: Path, work: WorkerTask) -> Iterator[tuple[Path, Callable[[], None]]]:
    """A trial's folder on this machine, brought here and back where that is not the driver's.

    Yields:
      The folder, and what brings it back in between.
    """
    if not work.url:
        yield directory, lambda: None
        return
    mirror, below = mirror_of(work.url), "/".join(directory.parts[-2:])
    mirror.pull(below)
    try:
        yield mirror.local / below, lambda: mirror.push(below)
    finally:
        mirror.push(below)


def train_trial(
    directory: Path,
    work: WorkerTask,
    send: Callable[[Report], None],
    saved: Callable[[], None] = lambda: None,
) -> None:
    """Train the trial in a folder; whatever becomes of it is written there.

    Python's errors end here, since trying them again would fail again. What Ray must see goes on:
    the `SystemExit(0)` with which it stops a trial, and errors in writing the folder itself.
    """
    apply_environment(work)
    if is_stuck(directory):  # and its process was ended: there is no point in a retry
        return
    run = Run(
        directory,
        metric=work.metric,
        mode=work.mode,
        on_report=ThrottledReporter(work, send),
        on_checkpoint=saved,
        stop_signal=StopSignal(work),
        lock_timeout=LOCK_SECONDS,
    )
    entered = False
    try:
        with run, time_limit([run], work):
            entered = True
            run.add_provenance(**worker_provenance(work))
            locate(work.objective)(read_config(directory), run)
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
    except Exception:
        if not entered:
            raise


def apply_environment(work: WorkerTask) -> None:
    """Take the sweep's environment and folder; the objective's module is not imported before.

    Libraries read their thread counts as they are imported.
    """
    os.environ.update(work.environment)
    with suppress(OSError):
        os.chdir(work.folder)


def worker_provenance(work: WorkerTask) -> dict[str, Any]:
    """What a trial's provenance tells of where it runs."""
    return {"environment": dict(work.environment), **machine(), **work.facts}


class ThrottledReporter:
    """Passes on every scored report, and of the others one a second with each tag's latest value.

    A score that is no finite number is withheld: comparisons with it would keep a trial alive.
    """

    def __init__(self, work: WorkerTask, send: Callable[[Report], None]) -> None:
        self._work, self._send = work, send
        self._sent = float("-inf")
        self._latest: dict[str, float] = {}

    def __call__(self, step: int, metrics: Mapping[str, float], total_steps: int | None) -> None:
        """Take a report; send it if it is due."""
        self._latest.update(metrics)
        score = metrics.get(self._work.metric, math.nan)
        scored = math.isfinite(score)
        if not scored and time.monotonic() - self._sent < REPORT_SECONDS:
            return
        moment = step if self._work.time == "step" else metrics.get(self._work.time)
        if moment is None and scored:
            raise UserError(
                f"scheduler.time={self._work.time} is not reported together with "
                f"{self._work.metric}; name a tag that is, or step."
            )
        known = score if scored else None
        self._send(Report(step, dict(self._latest), total_steps, known, float(moment or 0)))
        self._sent = time.monotonic()
