"""Code of a Ray worker that trains a pack: several trials in one process.

Each trial has its own folder, limits and end. Their reports travel to the driver in one message a
round. To stop one trial, the scheduler leaves a file of its name beside the file that stops all.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from sweeps.config import locate
from sweeps.errors import UserError
from sweeps.store import TrialStatus, read_config, read_trial
from sweeps.store.phase import write_phase
from sweeps.store.status import is_stuck, status_after
from sweeps.tracking import Diverged, Run, Stop
from sweeps.tracking.log import trial_log
from sweeps.tune.task import WorkerTask
from sweeps.tune.time_limit import (
    StopSignal,
    mark_pack_stuck,
    polled_requests,
    stop_requests,
    time_limit,
)
from sweeps.tune.worker import (
    LOCK_SECONDS,
    Report,
    ThrottledReporter,
    Upload,
    apply_environment,
    worker_provenance,
)

Send = Callable[[dict[str, Any]], None]
"""Takes `{"lanes": [(name, report)], "ended": [name]}`; returns when the driver has acted on it."""


class Lane(NamedTuple):
    """A trial of a pack."""

    directory: Path
    """Its folder on this machine."""
    upload: Upload
    """Brings the folder to where the driver sees it."""


def train_pack(lanes: Sequence[Lane], task: WorkerTask, send: Send) -> None:
    """Train those trials of a pack that are not over; their statuses are written in their folders.

    If the program fails while it trains several trials, any of them may be at fault: each half is
    then trained by itself, from its checkpoints, until the failing trial is alone.
    """
    apply_environment(task)
    mark_pack_stuck([lane.directory for lane in lanes])
    requested = stop_requests(task)
    reporter = PackReporter(task, send)
    left = [lane for lane in lanes if not _is_over(lane.directory, task, requested)]
    if left:
        _train_lanes(left, task, reporter)
    reporter.flush()


def _is_over(directory: Path, task: WorkerTask, requested: set[str]) -> bool:
    """Whether an earlier worker brought the trial to its end, before it died."""
    over = read_trial(directory).is_over(task.scheduler, task.time_limit)
    return over or directory.name in requested or is_stuck(directory)


def _train_lanes(lanes: Sequence[Lane], task: WorkerTask, reporter: "PackReporter") -> None:
    runs = [_make_run(lane, task, reporter) for lane in lanes]
    failed_runs = _attempt(runs, task)
    if len(failed_runs) > 1:
        failed = [lane for lane, run in zip(lanes, runs, strict=True) if run in failed_runs]
        reporter.remove(lane.directory.name for lane in failed)
        middle = len(failed) // 2
        for half in (failed[:middle], failed[middle:]):
            _train_lanes(half, task, reporter)


def _make_run(lane: Lane, task: WorkerTask, reporter: "PackReporter") -> Run:
    name = lane.directory.name
    run = Run(
        lane.directory,
        metric=task.metric,
        mode=task.mode,
        on_report=ThrottledReporter(task, partial(reporter.take, name)),
        on_checkpoint=partial(lane.upload, False),
        on_phase=partial(write_phase, lane.directory),
        stop_signal=StopSignal(task, name, reporter.requests),
        lock_timeout=LOCK_SECONDS,
        keep_checkpoints=task.keep_checkpoints,
        charts=task.charts,
    )
    reporter.add(name, run, lane.upload)
    return run


def _attempt(runs: Sequence[Run], task: WorkerTask) -> list[Run]:
    """Train a pack and end every run; returns the runs that failed by a common error."""
    pack = runs[0].directory.name
    with ExitStack() as entered:
        for run in runs:
            entered.enter_context(run)
        raised = None
        try:
            with (
                trial_log([run.directory for run in runs], task.log_megabytes),
                time_limit(runs, task),
            ):
                for run in runs:
                    run.add_provenance(**worker_provenance(task), pack=pack)
                configs = [read_config(run.directory) for run in runs]
                locate(task.pack)(configs, runs)
        except BaseException as error:
            raised = error
        left = [run for run in runs if not run.closed]
        for run in left:
            run.close(raised)
        ended_from_outside = (TrialStatus.STOPPED, TrialStatus.INTERRUPTED)
        if raised is not None and status_after(raised) in ended_from_outside:
            raise raised
        failed = isinstance(raised, Exception) and not isinstance(raised, UserError | Diverged)
        return left if failed else []


class PackReporter:
    """Collects the reports of a pack's trials, and passes on the scheduler's requests to stop."""

    def __init__(self, task: WorkerTask, send: Send) -> None:
        self.requests = polled_requests(task)
        self._task, self._send = task, send
        self._runs: dict[str, Run] = {}
        self._uploads: dict[str, Upload] = {}
        self._reports: dict[str, Report] = {}
        self._sent_ends: set[str] = set()

    def add(self, name: str, run: Run, upload: Upload) -> None:
        """Add a trial that starts, or starts again."""
        self._runs[name], self._uploads[name] = run, upload

    def remove(self, names: Iterable[str]) -> None:
        """Remove trials that will start again, so that their ends are not reported."""
        for name in names:
            del self._runs[name]

    def take(self, name: str, report: Report) -> None:
        """Take a report; send all when each open trial has one, or one trial its second."""
        if name in self._reports:
            self.flush()
        self._reports[name] = report
        if all(name in self._reports or run.closed for name, run in self._runs.items()):
            self.flush()

    def flush(self) -> None:
        """Send all reports and ends; then request the stops that the scheduler asks for."""
        reports, self._reports = self._reports, {}
        ended = {name for name, run in self._runs.items() if run.closed} - self._sent_ends
        self._sent_ends |= ended
        for name in ended:
            self._uploads[name](True)
        if reports or ended:
            # A list: Tune flattens dictionaries on their way to a scheduler.
            lanes = [(name, asdict(report)) for name, report in reports.items()]
            self._send({"lanes": lanes, "ended": sorted(ended)})
        has_scores = any(report.score is not None for report in reports.values())
        if has_scores and self._task.scheduler != "none":
            for name in stop_requests(self._task) & set(self._runs):
                self._runs[name].request_stop(Stop(status=TrialStatus.STOPPED))
