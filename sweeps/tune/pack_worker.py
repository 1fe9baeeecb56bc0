"""What happens in a Ray worker to trials that train together.

Each has its own folder, its own limits and its own end. Their reports travel to the driver in one
message a round; a trial that the scheduler wants to stop finds a file of its name beside the one
that stops all.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from sweeps.config.hooks import locate
from sweeps.errors import UserError
from sweeps.run import Run
from sweeps.store.status import Diverged, Stop, is_stuck, status_of
from sweeps.store.trial import read_config, read_trial
from sweeps.tune.task import WorkerTask
from sweeps.tune.time_limit import StopSignal, mark_pack_stuck, stop_requests, time_limit
from sweeps.tune.worker import (
    LOCK_SECONDS,
    Report,
    ThrottledReporter,
    apply_environment,
    worker_provenance,
)

Send = Callable[[dict[str, Any]], None]
"""Takes `{"lanes": [(name, report)], "ended": [name]}`; returns when the driver has acted on it."""


class Lane(NamedTuple):
    """One of the trials."""

    directory: Path
    saved: Callable[[], None]
    """Brings the folder to where the driver sees it."""


def train_pack(lanes: Sequence[Lane], work: WorkerTask, send: Send) -> None:
    """Train the trials in these folders that are not over; what becomes of each is written there.

    Where the program's function fails while it trains several, none of them need be at fault:
    each half is trained by itself, from its checkpoints, until the failing trial is alone.
    """
    apply_environment(work)
    mark_pack_stuck([lane.directory for lane in lanes])
    asked = stop_requests(work)
    post = PackReporter(work, send)
    left = [lane for lane in lanes if not _is_over(lane.directory, work, asked)]
    if left:
        _train(left, work, post)
    post.send()


def _is_over(directory: Path, work: WorkerTask, asked: set[str]) -> bool:
    """Whether an earlier worker brought the trial to its end, before it died."""
    over = read_trial(directory).is_over(work.rule, work.trial_seconds)
    return over or directory.name in asked or is_stuck(directory)


def _train(lanes: Sequence[Lane], work: WorkerTask, post: "PackReporter") -> None:
    runs = [_run(lane, work, post) for lane in lanes]
    apart = _attempt(runs, work)
    if len(apart) > 1:
        failed = [lane for lane, run in zip(lanes, runs, strict=True) if run in apart]
        post.forget(lane.directory.name for lane in failed)
        middle = len(failed) // 2
        for half in (failed[:middle], failed[middle:]):
            _train(half, work, post)


def _run(lane: Lane, work: WorkerTask, post: "PackReporter") -> Run:
    name = lane.directory.name
    run = Run(
        lane.directory,
        metric=work.metric,
        mode=work.mode,
        on_report=ThrottledReporter(work, partial(post.take, name)),
        on_checkpoint=lane.saved,
        stop_signal=post.wish,
        lock_timeout=LOCK_SECONDS,
    )
    post.expect(name, run, lane.saved)
    return run


def _attempt(runs: Sequence[Run], work: WorkerTask) -> list[Run]:
    """Train, and end every run; gives those that failed together."""
    pack = runs[0].directory.name
    with ExitStack() as entered:
        for run in runs:
            entered.enter_context(run)
        raised = None
        try:
            with time_limit(runs, work):
                for run in runs:
                    run.add_provenance(**worker_provenance(work), pack=pack)
                configs = [read_config(run.directory) for run in runs]
                locate(work.pack)(configs, runs)
        except BaseException as error:
            raised = error
        left = [run for run in runs if not run.closed]
        for run in left:
            run.close(raised)
        if raised is not None and status_of(raised) in ("stopped", "interrupted"):
            raise raised
        plain = isinstance(raised, Exception) and not isinstance(raised, UserError | Diverged)
        return left if plain else []


class PackReporter:
    """Collects the reports of trials that train together, and what the driver wants of them."""

    def __init__(self, work: WorkerTask, send: Send) -> None:
        self.wish = StopSignal(work)
        self._work, self._send = work, send
        self._runs: dict[str, Run] = {}
        self._saved: dict[str, Callable[[], None]] = {}
        self._reports: dict[str, Report] = {}
        self._told: set[str] = set()

    def expect(self, name: str, run: Run, saved: Callable[[], None]) -> None:
        """Take note of a trial that starts, or starts again."""
        self._runs[name], self._saved[name] = run, saved

    def forget(self, names: Iterable[str]) -> None:
        """Trials have not ended yet, whatever their folders say: they will start again."""
        for name in names:
            del self._runs[name]

    def take(self, name: str, report: Report) -> None:
        """Take a report; send all when each open trial has one, or one its second."""
        if name in self._reports:
            self.send()
        self._reports[name] = report
        if all(name in self._reports or run.closed for name, run in self._runs.items()):
            self.send()

    def send(self) -> None:
        """Send what has come in, and which trials have ended; let stop what is to."""
        reports, self._reports = self._reports, {}
        ended = {name for name, run in self._runs.items() if run.closed} - self._told
        self._told |= ended
        for name in ended:
            self._saved[name]()
        if reports or ended:
            # A list: Tune flattens dictionaries on their way to a scheduler.
            lanes = [(name, asdict(report)) for name, report in reports.items()]
            self._send({"lanes": lanes, "ended": sorted(ended)})
        judged = any(report.score is not None for report in reports.values())
        if judged and self._work.rule != "none":
            for name in stop_requests(self._work) & set(self._runs):
                self._runs[name].request_stop(Stop("stopped"))
