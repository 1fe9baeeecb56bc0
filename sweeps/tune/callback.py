"""A callback of Ray Tune that shows how trials go, records how they end, and stops them."""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

from sweeps.analysis.value_texts import HASHED, setting_text
from sweeps.store import Trial, TrialStatus, read_trial
from sweeps.store.phase import read_phase
from sweeps.store.stop_requests import STOP_ALL
from sweeps.tracking import Interrupt
from sweeps.tune.guard import SweepGuard
from sweeps.tune.outcome import Outcome, finalize_status
from sweeps.tune.progress import VALUE_WIDTH, Progress
from sweeps.tune.schedulers import SchedulerHandle
from sweeps.tune.time_limit import mark_pack_stuck
from sweeps.tune.wait_notice import WaitNotice

ATTEMPT = re.compile(r"^Failure # \d+ \(occurred at .*\)$", re.MULTILINE)
"""Line of Tune's account above each attempt."""
TASK_ERROR = re.compile(r"^(\x1b\[\d+m)?ray::", re.MULTILINE)
"""Line with which Ray begins the traceback of an exception that a worker raised."""
SAVE_SECONDS = 30.0
"""Time after Ctrl-C for running trials to come to a report and save."""


@dataclass(frozen=True, kw_only=True)
class RunContext:
    """Objects and actions that Tune's callback needs while trials run."""

    progress: Progress
    outcome: Outcome
    guard: SweepGuard
    """Says when the sweep is to end before its trials."""
    scheduler: str
    """The scheduler's kind."""
    interrupt: Interrupt
    fetch: Callable[[Path], None]
    """Brings a trial's folder up to date, where it was written on another machine."""
    running: dict[str, list[Path]] = field(default_factory=dict)
    """Tune's trial id -> folders of the running trials in it: several in a pack."""
    leaving: Event = field(default_factory=Event)
    """Set when Tune is to end at once."""
    stop_all: Callable[[], None] = lambda: None
    """Makes all trials save and end."""
    stop_trial: Callable[[str], None] = lambda name: None
    """Leaves a file of this name for the workers: a trial's own name ends it in its pack."""
    requests: Callable[[bool], set[str]] = lambda at_once: set()
    """Requests to stop that another command left (see `sweeps.store.stop_requests`); takes whether
    to look for them at once."""
    waiting: WaitNotice | None = None
    """Says why no trial runs."""


class ProgressCallback:
    """Passes Tune's events on to `Progress` and `Outcome`, and Ctrl-C to the trials."""

    def __init__(self, context: RunContext, handle: SchedulerHandle) -> None:
        self._context, self._handle = context, handle
        self._open: dict[str, dict[str, Path]] = {}
        """Tune's trial id -> name and folder of each trial in it that has not ended."""
        self._passed_on: set[str] = set()
        """Requests of another command that the workers know of."""
        self._saving: set[str] | None = None
        self._give_up = float("inf")

    def on_trial_start(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        """Show that a Tune trial's worker has started."""
        open_trials = self._open_trials(trial)
        self._context.running[trial.trial_id] = list(open_trials.values())
        for name, directory in open_trials.items():
            self._context.progress.started(
                name, shown_name(directory), partial(read_phase, directory)
            )

    def on_trial_result(
        self, iteration: int, trials: Any, trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Pass on a report of a trial, or the reports and ends of a pack."""
        own = [(name, result) for name in self._open_trials(trial) if "metrics" in result]
        for name, report in result.get("lanes", own):
            self._reported(trial, name, report)
        self._context.outcome.lost |= dict(result.get("failed", ()))
        for name in result.get("ended", ()):
            if name in self._open_trials(trial):
                self._ended(trial, name)

    def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        """Record the end of all trials in a Tune trial."""
        for name in list(self._open_trials(trial)):
            self._ended(trial, name)
        self._context.running.pop(trial.trial_id, None)

    def on_trial_recover(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        """Show that a worker died and its trials wait for another one."""
        self._end_if_leaving()
        self._context.running.pop(trial.trial_id, None)
        self._context.progress.retried(*self._open_trials(trial))

    def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        """Record that Ray gave a Tune trial up."""
        self._end_if_leaving()
        open_trials, reason = dict(self._open_trials(trial)), failure_cause(trial)
        mark_pack_stuck(list(open_trials.values()))
        for name in open_trials:
            self._context.outcome.lost[name] = reason
            final = self._show_end(trial, name)
            if final.status == TrialStatus.FAILED and len(open_trials) > 1:
                self._context.outcome.lost_in_packs.add(name)
            else:
                self._context.guard.ended(final)
        self._context.running.pop(trial.trial_id, None)

    def on_experiment_end(self, trials: Any, **info: Any) -> None:
        """Record the trials that ended by one of Tune's own errors."""
        # Some of Tune's own errors end a trial without a call of the callbacks.
        for trial in trials:
            if trial.status == "ERROR":
                for name in self._open_trials(trial):
                    self._context.outcome.lost.setdefault(name, failure_cause(trial))

    def on_step_end(self, iteration: int, trials: Any, **info: Any) -> None:
        """Refresh the display; where the sweep is to end, have the trials save, then end Tune."""
        self._end_if_leaving()
        self._context.progress.refresh()
        if self._context.waiting:
            self._context.waiting.update(is_running=bool(self._context.running))
        self._pass_on_requests()
        if not self._is_to_end(trials):
            return
        if self._saving is None:
            self._context.stop_all()
            self._context.progress.interrupted(self._context.outcome.ended_early)
            self._saving = set(self._context.running)
            self._give_up = time.monotonic() + SAVE_SECONDS
        paused = {trial.trial_id for trial in trials if trial.status == trial.PAUSED}
        left = self._saving & set(self._context.running) - paused
        if not left or time.monotonic() > self._give_up:
            raise KeyboardInterrupt

    def _is_to_end(self, trials: Any) -> bool:
        """Whether a signal came, or the guard found a reason."""
        if self._saving is None and not self._context.interrupt.requested:
            guard = self._context.guard
            if guard.is_late and not all(trial.is_finished() for trial in trials):
                guard.check_time()
            self._context.outcome.ended_early = guard.reason
        return self._context.interrupt.requested or bool(self._context.outcome.ended_early)

    def _pass_on_requests(self, at_once: bool = False) -> None:
        """Take another command's request to stop the sweep as Ctrl-C; tell workers of others."""
        for name in self._context.requests(at_once) - self._passed_on:
            self._passed_on.add(name)
            if name == STOP_ALL:
                if self._saving is None:  # else the file is the driver's own
                    self._context.interrupt.requested = True
            else:
                self._context.stop_trial(name)

    def _end_if_leaving(self) -> None:
        """End Tune where nobody waits for it any more."""
        if self._context.leaving.is_set():
            raise KeyboardInterrupt

    def _open_trials(self, trial: Any) -> dict[str, Path]:
        """Name -> folder of each trial in a Tune trial that has not ended."""
        # Read the first time: a population may change a trial's configuration later.
        found = {folder.name: folder for folder in trial_folders(trial)}
        return self._open.setdefault(trial.trial_id, found)

    def _reported(self, trial: Any, name: str, report: Mapping[str, Any]) -> None:
        step, total, metrics = report["step"], report["total_steps"], report["metrics"]
        self._context.progress.reported(name, step, total, metrics)
        if directory := self._open_trials(trial).get(name):
            self._context.guard.reported(directory, metrics)

    def _ended(self, trial: Any, name: str) -> None:
        self._context.outcome.ended.add(name)
        for key in (name, trial.trial_id):
            if reason := self._handle.stopped.get(key):
                self._context.outcome.stopped[name] = self._context.scheduler, reason
        self._context.guard.ended(self._show_end(trial, name))

    def _show_end(self, trial: Any, name: str) -> Trial:
        """Print how a trial ended; returns the trial."""
        directory = self._open_trials(trial).pop(name)
        running = self._context.running.get(trial.trial_id, [])
        if directory in running:
            running.remove(directory)
        self._context.fetch(directory)
        final = finalize_status(read_trial(directory), self._context.outcome)
        interrupted = final.status == TrialStatus.INTERRUPTED
        if interrupted:  # its worker may have seen the request first, and be the last one
            self._pass_on_requests(at_once=True)
        self._context.progress.ended(name, final.summary(), interrupted=interrupted)
        return final


def tune_callback(context: RunContext, handle: SchedulerHandle) -> Any:
    """Make a `ProgressCallback` that is a callback of Tune."""
    from ray import tune
    from ray.tune.progress_reporter import TrialProgressCallback

    # Tune adds one of its own where it finds none, which keeps all trials.
    class Callback(ProgressCallback, TrialProgressCallback):
        def __reduce__(self) -> Any:
            # Tune pickles its set-up for a restore that is never made.
            return tune.Callback, ()

    return Callback(context, handle)


def shown_name(directory: Path) -> str:
    """What a table calls a trial, where its name has values by a hash alone; empty: its name."""
    if not any(HASHED.search(pair) for pair in directory.name.split(",")):
        return ""
    trial = read_trial(directory)
    return setting_text(trial.settings, trial.train_command, VALUE_WIDTH)


def trial_folders(trial: Any) -> list[Path]:
    """The folders that a Tune trial trains: those of a pack, or one."""
    return [Path(path) for path in trial.config.get("lanes") or [trial.config["directory"]]]


def failure_cause(trial: Any) -> str:
    """Why Ray gave a trial up: one line, then Ray's own account of every attempt.

    Only the text is read. Beside it Tune keeps the exception as a pickle, which is a program to
    whoever loads it. Tune itself would, at its end, from a storage that others may write to: it is
    made to forget the file.
    """
    trial.run_metadata.pickled_error_filename = None
    try:
        account = Path(trial.error_file).read_text()
    except (OSError, TypeError):
        return "Ray gave it up without saying why"
    times = f"{trial.num_failures} times" if trial.num_failures > 1 else "once"
    latest = ATTEMPT.split(account)[-1].strip()
    if TASK_ERROR.search(latest):  # the worker lived and raised
        line = latest.splitlines()[-1].removeprefix("sweeps.errors.UserError: ")
    else:
        line = f"its worker process died {times} (killed, crashed, or out of memory)"
    return f"{line}\n{account}"
