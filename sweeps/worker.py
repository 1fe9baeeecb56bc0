"""What happens in a Ray worker: one trial after another, each in its own folder."""

import faulthandler
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sweeps.errors import UserError
from sweeps.hooks import locate
from sweeps.provenance import machine
from sweeps.remote import mirror_of
from sweeps.run import Run, Stop
from sweeps.store import read_config

REPORT_SECONDS = 1.0
"""Time between two messages to the driver: each waits for its answer."""

LOOK_SECONDS = 5.0
"""Time between two looks for an interrupt at a URL."""

LOCK_SECONDS = 30.0
"""For the worker of a driver that was killed to be gone from a folder."""


def grace(limit: float) -> float:
    """Seconds for a trial that has used up its time to reach its next report and to save."""
    return min(30.0, max(3.0, limit))


STUCK = "stuck.txt"
"""In a trial's folder: where every thread stood when its time was up and no report came."""


@dataclass(frozen=True)
class Work:
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
    url: str = ""
    """Where results are kept, if that is no folder that all machines have."""
    trial_seconds: float | None = None
    """A trial's time is up after so long."""
    time: str = "step"
    """What schedulers count: `step`, or a tag."""
    changes: str = ""
    """Option under which the application takes changes of numbers during training."""
    reproduce: str = ""
    """Command that runs a trial alone, given its overrides."""


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
def at_hand(directory: Path, work: Work) -> Iterator[tuple[Path, Callable[[], None]]]:
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
    work: Work,
    send: Callable[[Report], None],
    saved: Callable[[], None] = lambda: None,
) -> None:
    """Train the trial in a folder; whatever becomes of it is written there.

    Python's errors end here, since trying them again would fail again. What Ray must see goes on:
    the `SystemExit(0)` with which it stops a trial, and errors in writing the folder itself.
    """
    # Before the objective's module is imported, as libraries read their thread counts at import.
    os.environ.update(work.environment)
    with suppress(OSError):
        os.chdir(work.folder)
    if is_stuck(directory):  # and its process was ended: there is no point in a retry
        return
    run = Run(
        directory,
        metric=work.metric,
        mode=work.mode,
        on_report=Throttle(work, send),
        on_saved=saved,
        wanted=Wish(work),
        patience=LOCK_SECONDS,
    )
    entered = False
    try:
        with run, _time_limit(run, work):
            entered = True
            run.record(environment=dict(work.environment), **machine(), **work.facts)
            locate(work.objective)(read_config(directory), run)
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
    except Exception:
        if not entered:
            raise


def identity(work: Work, config: Mapping[str, Any]) -> Mapping[str, Any]:
    """What defines a configuration's result."""
    found = locate(work.identify)(config)
    assert isinstance(found, Mapping)
    return found


def is_stuck(directory: Path) -> bool:
    """Whether the trial's process was ended because its time was up."""
    path = directory / STUCK
    return path.exists() and path.stat().st_size > 0


@contextmanager
def _time_limit(run: Run, work: Work) -> Iterator[None]:
    """End the process when a trial's time is up and no report gave it the chance to end itself.

    Python's watchdog is a thread of its own that does not need the interpreter's lock, so it ends
    a step that hangs in compiled code too.
    """
    if work.trial_seconds is None:
        yield
        return
    left = max(work.trial_seconds - run.seconds, 0)
    with (run.directory / STUCK).open("w") as file:
        faulthandler.dump_traceback_later(left + grace(work.trial_seconds), exit=True, file=file)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
    (run.directory / STUCK).unlink()


class Wish:
    """Whether a trial should stop: its time is up, or the sweep was interrupted."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._looked = float("-inf")

    def __call__(self, seconds: float) -> Stop | None:
        """Look; for an interrupt not at each report, since another machine may have to answer."""
        limit = self._work.trial_seconds
        if limit is not None and seconds >= limit:
            return Stop("stopped", "time", time_is_up(limit))
        pause = LOOK_SECONDS if self._work.url else REPORT_SECONDS / 2
        if self._work.stop_file and time.monotonic() - self._looked >= pause:
            self._looked = time.monotonic()
            if self._interrupted():
                return Stop("interrupted", reason="the sweep was interrupted")
        return None

    def _interrupted(self) -> bool:
        path = Path(self._work.stop_file)
        if self._work.url:
            return path.name in mirror_of(self._work.url).names("/".join(path.parent.parts[-2:]))
        return path.exists()


def time_is_up(limit: float) -> str:
    """The reason that a trial's result gives."""
    return f"after sweep.trial_minutes={limit / 60:g}"


class Throttle:
    """Passes on every scored report, and of the others one a second with each tag's latest value.

    A score that is no finite number is withheld: comparisons with it would keep a trial alive.
    """

    def __init__(self, work: Work, send: Callable[[Report], None]) -> None:
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
