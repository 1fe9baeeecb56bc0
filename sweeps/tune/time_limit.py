"""Ends trials in a worker from outside: at a time limit, in a step that hangs, on request."""

import faulthandler
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from sweeps.io.mirror import mirror_of
from sweeps.store import TrialStatus, read_trial
from sweeps.store.status import STUCK_FILE, TIME_LIMIT, is_stuck, time_limit_reason
from sweeps.store.stop_requests import STOP_ALL, interrupt_file
from sweeps.tracking import Run, Stop
from sweeps.tune.task import WorkerTask

POLL_SECONDS = 0.5
"""Time between two looks for a stop request in a folder."""
URL_POLL_SECONDS = 5.0
"""Time between two looks for a stop request at a URL."""
STOPPED_ALONE = "it was asked to stop"
"""Reason in the result of a trial that was interrupted while its sweep went on."""


def grace_seconds(limit: float) -> float:
    """Time after the limit in which a trial can reach its next report and save."""
    return min(30.0, max(3.0, limit))


def mark_pack_stuck(directories: Sequence[Path]) -> None:
    """Copy the stack of a pack's killed process to those of its trials that had not ended."""
    for directory in directories:
        if is_stuck(directory):
            for other in directories:
                if other != directory and read_trial(other).status == TrialStatus.RUNNING:
                    shutil.copyfile(directory / STUCK_FILE, other / STUCK_FILE)
            return


@contextmanager
def time_limit(runs: Sequence[Run], task: WorkerTask) -> Iterator[None]:
    """Kill the process when the time of all its trials is up and none could end itself.

    Python's watchdog is a thread that does not need the interpreter's lock, so it also ends a step
    that hangs in compiled code. It writes the stack to the first trial's folder.
    """
    if task.time_limit is None:
        yield
        return
    left = max(0.0, *(task.time_limit - run.seconds for run in runs))
    timeout = left + grace_seconds(task.time_limit)
    path = runs[0].directory / STUCK_FILE
    with path.open("w") as file:
        faulthandler.dump_traceback_later(timeout, exit=True, file=file)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
    path.unlink()


class PolledRequests:
    """Requests to stop, looked for at most once in some seconds."""

    def __init__(self, look: Callable[[], set[str]], pause: float) -> None:
        """Begin to look.

        Args:
          look: returns the names of the files that ask to stop.
          pause: seconds between two looks.
        """
        self._look, self._pause = look, pause
        self._polled = float("-inf")
        self._found: set[str] = set()

    def __call__(self, at_once: bool = False) -> set[str]:
        """Return what was found at the last look, which may be made now; with `at_once` it is."""
        if at_once or time.monotonic() - self._polled >= self._pause:
            self._polled = time.monotonic()
            self._found = self._look()
        return self._found


def polled_requests(task: WorkerTask) -> PolledRequests:
    """Return the requests that the driver leaves for workers.

    They are not looked for at each call, since another machine may have to answer.
    """
    return PolledRequests(
        partial(stop_requests, task), URL_POLL_SECONDS if task.url else POLL_SECONDS
    )


class StopSignal:
    """Says whether a trial should stop: its time is up, or it or the sweep is interrupted."""

    def __init__(self, task: WorkerTask, name: str, requests: PolledRequests | None = None) -> None:
        """Describe the trial.

        Args:
          task: what all trials of the sweep share.
          name: of the trial.
          requests: those of the driver, where several trials share them.
        """
        self._task, self._own_file = task, interrupt_file(name)
        self._requests = requests or polled_requests(task)

    def __call__(self, seconds: float) -> Stop | None:
        """Return how a trial of this training time should stop; None: it should go on."""
        limit = self._task.time_limit
        if limit is not None and seconds >= limit:
            return Stop(
                status=TrialStatus.STOPPED,
                stopped_by=TIME_LIMIT,
                reason=time_limit_reason(limit),
            )
        requests = self._requests()
        if STOP_ALL in requests:
            return Stop(status=TrialStatus.INTERRUPTED, reason="the sweep was interrupted")
        if self._own_file in requests:
            return Stop(status=TrialStatus.INTERRUPTED, reason=STOPPED_ALONE)
        return None


def stop_requests(task: WorkerTask) -> set[str]:
    """Names of the files that the driver left: the one that stops all, and names of trials."""
    if not task.stop_file:
        return set()
    folder = Path(task.stop_file).parent
    if task.url:
        mirror = mirror_of(task.url, wait=True)
        return set(mirror.list_names("/".join(folder.parts[-2:]), wait=False))
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()
