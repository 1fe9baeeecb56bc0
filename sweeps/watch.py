"""What happens to the trials while Tune runs them: shown, noted, and stopped on demand."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sweeps.interrupt import Interrupt
from sweeps.outcome import Outcome, settle
from sweeps.progress import Progress
from sweeps.scheduler import Rule
from sweeps.store import read_trial

SAVE_SECONDS = 30.0
"""After Ctrl-C, for the trials that run to come to a report and save."""


@dataclass(frozen=True)
class Desk:
    """Where news of the trials go, and wishes come from."""

    progress: Progress
    outcome: Outcome
    kind: str
    """The scheduler's."""
    interrupt: Interrupt
    ask_to_stop: Callable[[], None]
    """Makes trials save and end."""
    fetch: Callable[[Path], None]
    """Brings a trial's folder up to date, where it was written on another machine."""
    running: dict[str, Path] = field(default_factory=dict)
    """Tune's trial id -> folder, of the trials that run just now."""


class Watch:
    """Passes Tune's events on, and a wish to stop to the trials."""

    def __init__(self, desk: Desk, rule: Rule) -> None:
        self._desk, self._rule = desk, rule
        self._folders: dict[str, Path] = {}
        self._saving: set[str] | None = None
        self._give_up = float("inf")

    def on_trial_start(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        # The first time it is the trial's own; a population may change it later.
        self._folders.setdefault(trial.trial_id, folder_of(trial))
        self._desk.running[trial.trial_id] = self._folders[trial.trial_id]
        self._desk.progress.started(self._name(trial))

    def on_trial_result(
        self, iteration: int, trials: Any, trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        if "metrics" in result:
            total = result["total_steps"]
            self._desk.progress.reported(
                self._name(trial), result["step"], total, result["metrics"]
            )

    def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        self._desk.outcome.ended.add(self._name(trial))
        if why := self._rule.stopped.get(trial.trial_id):
            self._desk.outcome.stopped[self._name(trial)] = self._desk.kind, why
        self._ended(trial)

    def on_trial_recover(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        self._desk.running.pop(trial.trial_id, None)
        self._desk.progress.retried(self._name(trial))

    def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        self._folders.setdefault(trial.trial_id, folder_of(trial))
        self._desk.outcome.lost[self._name(trial)] = cause(trial)
        self._ended(trial)

    def on_experiment_end(self, trials: Any, **info: Any) -> None:
        # Some of Tune's own errors end a trial without telling the callbacks.
        for trial in trials:
            if trial.status == "ERROR":
                folder = self._folders.get(trial.trial_id, folder_of(trial))
                self._desk.outcome.lost.setdefault(folder.name, cause(trial))

    def on_step_end(self, iteration: int, trials: Any, **info: Any) -> None:
        self._desk.progress.refresh()
        if not self._desk.interrupt.wanted:
            return
        if self._saving is None:
            self._desk.ask_to_stop()
            self._saving = set(self._desk.running)
            self._give_up = time.monotonic() + SAVE_SECONDS
        if not self._saving & set(self._desk.running) or time.monotonic() > self._give_up:
            raise KeyboardInterrupt

    def _name(self, trial: Any) -> str:
        return self._folders[trial.trial_id].name

    def _ended(self, trial: Any) -> None:
        self._desk.running.pop(trial.trial_id, None)
        directory = self._folders[trial.trial_id]
        self._desk.fetch(directory)
        self._desk.progress.ended(
            directory.name, settle(read_trial(directory), self._desk.outcome).summary()
        )


def watch(desk: Desk, rule: Rule) -> Any:
    """Make the callback for Tune."""
    from ray import tune

    class Callback(Watch, tune.Callback):
        def __reduce__(self) -> Any:
            # Tune pickles its set-up for a restore that we never make.
            return tune.Callback, ()

    return Callback(desk, rule)


def folder_of(trial: Any) -> Path:
    """The folder that a Tune trial was made for."""
    return Path(trial.config["directory"])


def cause(trial: Any) -> str:
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
