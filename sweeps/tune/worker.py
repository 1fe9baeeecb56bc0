"""Code of a Ray worker, which trains one trial after another, each in its own folder."""

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sweeps.config import locate
from sweeps.errors import UserError, did_you_mean, one_line_error
from sweeps.io.mirror import mirror_of
from sweeps.store import TrialStatus, read_config, read_metrics, read_trial
from sweeps.store.log import MEGABYTE, log_kept
from sweeps.store.metrics import METRICS_FILE
from sweeps.store.phase import write_phase
from sweeps.store.provenance import machine
from sweeps.store.result import metrics_of, read_result
from sweeps.store.status import is_stuck
from sweeps.tracking import Run
from sweeps.tracking.log import trial_log
from sweeps.tune.task import WorkerTask
from sweeps.tune.time_limit import StopSignal, time_limit

LOCK_SECONDS = 30.0
"""Time for the worker of a killed driver to release a folder."""


Upload = Callable[[bool], None]
"""Uploads a trial's folder; takes whether to wait for a store that does not answer."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """A trial's report to the driver."""

    step: int
    metrics: dict[str, float]
    total_steps: int | None
    score: float | None
    """The ranking metric; None: it was not reported now, or is not a finite number."""
    time: float
    """Time as schedulers count it, see `WorkerTask.scheduler_time`."""


@contextmanager
def local_copy(directory: Path, task: WorkerTask) -> Iterator[tuple[Path, Upload]]:
    """A trial's folder on this machine, and a function that uploads it.

    Where results are kept at a URL, the folder is downloaded first and uploaded at the end. Else it
    is the driver's own folder, and the function does nothing.
    """
    if not task.url:
        yield directory, lambda wait: None
        return
    # The driver has been at the store.
    mirror, below = mirror_of(task.url, wait=True), "/".join(directory.parts[-2:])
    with log_kept(mirror.local / below, round(task.log_megabytes * MEGABYTE)):
        mirror.pull(below)
    try:
        yield mirror.local / below, lambda wait: mirror.push(below, wait=wait)
    finally:
        mirror.push(below)


def train_trial(
    directory: Path,
    task: WorkerTask,
    send: Callable[[Report], None],
    upload: Upload = lambda wait: None,
    fail: Callable[[str], None] = lambda reason: None,
    repeats_last: bool = False,
) -> None:
    """Train the trial in a folder; its status is written there.

    The objective's errors end here, since they would come again in a retry. Two errors are passed
    on to Ray: the `SystemExit(0)` with which Ray stops a trial, and errors before the run begins.

    Args:
      directory: the trial's folder on this machine.
      task: what all trials of the sweep share.
      send: sends a report to the driver.
      upload: called when a checkpoint is complete; training goes on if the store is away.
      fail: takes the reason of a failure that cannot be written to the folder, as on a full disk.
      repeats_last: whether a trial that continues sends the report that it continues from once
        more. The members of a population may have waited for each other there.
    """
    apply_environment(task)
    if is_stuck(directory):  # its process was killed in a step that hung, and would be again
        return
    reporter = ThrottledReporter(task, send)
    run = Run(
        directory,
        metric=task.metric,
        mode=task.mode,
        on_report=reporter,
        on_checkpoint=partial(upload, False),
        on_phase=partial(write_phase, directory),
        on_resume=partial(reporter.repeat, directory) if repeats_last else lambda step: None,
        stop_signal=StopSignal(task, directory.name),
        lock_timeout=LOCK_SECONDS,
        keep_checkpoints=task.keep_checkpoints,
        charts=task.charts,
    )
    entered = False
    try:
        with run, trial_log([directory], task.log_megabytes), time_limit([run], task):
            entered = True
            run.add_provenance(**worker_provenance(task))
            run.report_returned(locate(task.objective)(read_config(directory), run))
            if not run.should_stop:
                reporter.check_scored()
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
    except Exception as error:
        if not entered:
            raise
        if not is_over(directory):
            fail(one_line_error(error, (UserError,)))


def is_over(directory: Path) -> bool:
    """Whether a trial's folder says how the trial ended."""
    return read_trial(directory).status not in (TrialStatus.RUNNING, TrialStatus.WAITING)


def apply_environment(task: WorkerTask) -> None:
    """Set the sweep's environment variables and working directory in this process.

    The objective's module is imported later: libraries read their thread counts when imported.
    """
    os.environ.update(task.environment)
    with suppress(OSError):
        os.chdir(task.working_directory)


def worker_provenance(task: WorkerTask) -> dict[str, Any]:
    """Facts on the worker for a trial's provenance."""
    return {"environment": dict(task.environment), **machine(), **task.provenance}


class ThrottledReporter:
    """Sends every report with a score, and of the others one in a while with the latest values.

    A score that is not a finite number is left out: comparisons with it would keep a trial alive.
    """

    def __init__(self, task: WorkerTask, send: Callable[[Report], None]) -> None:
        self._task, self._send = task, send
        self._sent = float("-inf")
        self._latest: dict[str, float] = {}

    def __call__(self, step: int, metrics: Mapping[str, float], total_steps: int | None) -> None:
        """Take a report of a `Run`, and send it if it is due.

        Raises:
          UserError: the scheduler counts a tag that is not reported with the ranking metric.
        """
        self._latest.update(metrics)
        score = metrics.get(self._task.metric, math.nan)
        has_score = math.isfinite(score)
        if not has_score and time.monotonic() - self._sent < self._task.report_seconds:
            return
        counted = self._task.scheduler_time
        moment = step if counted == "step" else metrics.get(counted)
        if moment is None and has_score:
            raise UserError(
                f"scheduler.time={counted} is not reported together with "
                f"{self._task.metric}; name a tag that is, or step."
            )
        report = Report(
            step=step,
            metrics=dict(self._latest),
            total_steps=total_steps,
            score=score if has_score else None,
            time=float(moment or 0),
        )
        self._send(report)
        self._sent = time.monotonic()

    def repeat(self, directory: Path, step: int) -> None:
        """Send the report at this step, which stands in the trial's folder, if it had a score."""
        rows = [row for row in read_metrics(directory / METRICS_FILE) if row["step"] == step]
        if rows and self._task.metric in rows[-1]:
            self(step, metrics_of(rows[-1]), read_result(directory).get("total_steps"))

    def check_scored(self) -> None:
        """Refuse a trial that reported, and never what the scheduler decides by.

        Raises:
          UserError: it did.
        """
        task = self._task
        if task.scheduler == "none" or not self._latest or task.metric in self._latest:
            return
        raise UserError(
            f"sweep.metric={task.metric} was never reported, and scheduler={task.scheduler} "
            f"decides by it; {did_you_mean(task.metric, list(self._latest))}."
        )
