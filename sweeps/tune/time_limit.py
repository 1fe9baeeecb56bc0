"""What ends trials in a worker from outside: the time they may use, a step that hangs, a wish."""

import faulthandler
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sweeps.io.mirror import mirror_of
from sweeps.run import Run, Stop
from sweeps.store.status import STUCK_FILE, is_stuck, time_limit_reason
from sweeps.store.trial import read_trial
from sweeps.tune.task import WorkerTask

LOOK_SECONDS = 0.5
URL_LOOK_SECONDS = 5.0
"""Time between two looks for an interrupt, in a folder and at a URL."""


def grace_seconds(limit: float) -> float:
    """Seconds for a trial that has used up its time to reach its next report and to save."""
    return min(30.0, max(3.0, limit))


def mark_pack_stuck(directories: Sequence[Path]) -> None:
    """Tell all that trained together and had not ended of the step that ended their process."""
    for directory in directories:
        if is_stuck(directory):
            for other in directories:
                if other != directory and read_trial(other).status == "running":
                    shutil.copyfile(directory / STUCK_FILE, other / STUCK_FILE)
            return


@contextmanager
def time_limit(runs: Sequence[Run], work: WorkerTask) -> Iterator[None]:
    """End the process when the time of all its trials is up and none could end itself.

    Python's watchdog is a thread of its own that does not need the interpreter's lock, so it ends
    a step that hangs in compiled code too. The first trial's folder gets its word.
    """
    if work.trial_seconds is None:
        yield
        return
    left = max(0.0, *(work.trial_seconds - run.seconds for run in runs))
    path = runs[0].directory / STUCK_FILE
    with path.open("w") as file:
        faulthandler.dump_traceback_later(
            left + grace_seconds(work.trial_seconds), exit=True, file=file
        )
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
    path.unlink()


class StopSignal:
    """Whether a trial should stop: its time is up, or the sweep was interrupted."""

    def __init__(self, work: WorkerTask) -> None:
        self._work = work
        self._looked = float("-inf")
        self._seen = False

    def __call__(self, seconds: float) -> Stop | None:
        """Look; for an interrupt not at each report, since another machine may have to answer."""
        limit = self._work.trial_seconds
        if limit is not None and seconds >= limit:
            return Stop("stopped", "time", time_limit_reason(limit))
        pause = URL_LOOK_SECONDS if self._work.url else LOOK_SECONDS
        if self._work.stop_file and time.monotonic() - self._looked >= pause:
            self._looked = time.monotonic()
            self._seen = Path(self._work.stop_file).name in stop_requests(self._work)
        if self._seen:
            return Stop("interrupted", reason="the sweep was interrupted")
        return None


def stop_requests(work: WorkerTask) -> set[str]:
    """The files that the driver left for its workers: to stop all, or trials by their names."""
    if not work.stop_file:
        return set()
    folder = Path(work.stop_file).parent
    if work.url:
        return set(mirror_of(work.url).list_names("/".join(folder.parts[-2:])))
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()
