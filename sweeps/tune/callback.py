"""What happens to the trials while Tune runs them: shown, noted, and stopped on demand."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sweeps.run import Interrupt
from sweeps.store.trial import read_trial
from sweeps.tune.outcome import Outcome, finalize_status
from sweeps.tune.progress import Progress
from sweeps.tune.schedulers import SchedulerHandle
from sweeps.tune.time_limit import mark_pack_stuck

SAVE_SECONDS = 30.0
"""After Ctrl-C, for the trials that run to come to a report and save."""


@dataclass(frozen=True)
class RunContext:
    """Where news of the trials go, and wishes come from."""

    progress: Progress
    outcome: Outcome
    kind: str
    """The scheduler's."""
    interrupt: Interrupt
    ask_to_stop: Callable[[], None]
    """Makes all trials save and end."""
    stop: Callable[[str], None]
    """Makes one trial end that trains with others, given its name."""
    fetch: Callable[[Path], None]
    """Brings a trial's folder up to date, where it was written on another machine."""
    running: dict[str, list[Path]] = field(default_factory=dict)
    """Tune's trial id -> folders of the trials that run just now: several, if they are packed."""


class ProgressCallback:
    """Passes Tune's events on, and a wish to stop to the trials."""

    def __init__(self, desk: RunContext, rule: SchedulerHandle) -> None:
        self._desk, self._rule = desk, rule
        self._open: dict[str, dict[str, Path]] = {}
        """Tune's trial id -> name and folder of each trial in it that has not ended."""
        self._saving: set[str] | None = None
        self._give_up = float("inf")

    def on_trial_start(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        lanes = self._lanes(trial)
        self._desk.running[trial.trial_id] = list(lanes.values())
        for name in lanes:
            self._desk.progress.started(name)

    def on_trial_result(
        self, iteration: int, trials: Any, trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        alone = [(name, result) for name in self._lanes(trial) if "metrics" in result]
        for name, report in result.get("lanes", alone):
            self._reported(name, report)
        for name in result.get("ended", ()):
            if name in self._lanes(trial):
                self._ended(trial, name)

    def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        for name in list(self._lanes(trial)):
            self._ended(trial, name)
        self._desk.running.pop(trial.trial_id, None)

    def on_trial_recover(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        self._desk.running.pop(trial.trial_id, None)
        self._desk.progress.retried(*self._lanes(trial))

    def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        lanes, why = dict(self._lanes(trial)), failure_cause(trial)
        mark_pack_stuck(list(lanes.values()))
        for name in lanes:
            self._desk.outcome.lost[name] = why
            if self._show_end(trial, name) == "failed" and len(lanes) > 1:
                self._desk.outcome.shared.add(name)
        self._desk.running.pop(trial.trial_id, None)

    def on_experiment_end(self, trials: Any, **info: Any) -> None:
        # Some of Tune's own errors end a trial without telling the callbacks.
        for trial in trials:
            if trial.status == "ERROR":
                for name in self._lanes(trial):
                    self._desk.outcome.lost.setdefault(name, failure_cause(trial))

    def on_step_end(self, iteration: int, trials: Any, **info: Any) -> None:
        self._desk.progress.refresh()
        if not self._desk.interrupt.requested:
            return
        if self._saving is None:
            self._desk.ask_to_stop()
            self._saving = set(self._desk.running)
            self._give_up = time.monotonic() + SAVE_SECONDS
        if not self._saving & set(self._desk.running) or time.monotonic() > self._give_up:
            raise KeyboardInterrupt

    def _lanes(self, trial: Any) -> dict[str, Path]:
        """Name -> folder of what has not ended of a Tune trial."""
        # Read the first time: a population may change a trial's configuration later.
        found = {folder.name: folder for folder in trial_folders(trial)}
        return self._open.setdefault(trial.trial_id, found)

    def _reported(self, name: str, report: Mapping[str, Any]) -> None:
        step, total, metrics = report["step"], report["total_steps"], report["metrics"]
        self._desk.progress.reported(name, step, total, metrics)

    def _ended(self, trial: Any, name: str) -> None:
        self._desk.outcome.ended.add(name)
        for key in (name, trial.trial_id):
            if why := self._rule.stopped.get(key):
                self._desk.outcome.stopped[name] = self._desk.kind, why
        self._show_end(trial, name)

    def _show_end(self, trial: Any, name: str) -> str:
        """Show how a trial ended; gives its status."""
        directory = self._lanes(trial).pop(name)
        running = self._desk.running.get(trial.trial_id, [])
        if directory in running:
            running.remove(directory)
        self._desk.fetch(directory)
        settled = finalize_status(read_trial(directory), self._desk.outcome)
        self._desk.progress.ended(name, settled.summary())
        return settled.status


def tune_callback(desk: RunContext, rule: SchedulerHandle) -> Any:
    """Make the callback for Tune."""
    from ray import tune

    class Callback(ProgressCallback, tune.Callback):
        def __reduce__(self) -> Any:
            # Tune pickles its set-up for a restore that we never make.
            return tune.Callback, ()

    return Callback(desk, rule)


def trial_folders(trial: Any) -> list[Path]:
    """The folders that a Tune trial was made for: one, or those that train together."""
    return [Path(path) for path in trial.config.get("lanes") or [trial.config["directory"]]]


def failure_cause(trial: Any) -> str:
    """Why Ray gave a trial up: one line, then Ray's own account of every attempt."""
    from ray import cloudpickle
    from ray.exceptions import RayActorError

    try:
        account = Path(trial.error_file).read_text()
        error = cloudpickle.loads(Path(trial.pickled_error_file).read_bytes())
    except (OSError, TypeError):
        return "Ray gave it up without saying why"
    times = f"{trial.num_failures} times" if trial.num_failures > 1 else "once"
    if isinstance(error, RayActorError):
        line = f"its worker process died {times} (killed, crashed, or out of memory)"
    else:
        line = str(error).strip().splitlines()[-1]
    return f"{line}\n{account}"
