"""Population based training: a trial may continue from another one's state with numbers changed.

The trials wait for each other at each exchange, so that decisions depend on the scores alone.
Afterwards its folder holds the history of the model that is in it: the other trial's up to that
step, then its own. Its earlier history is moved to `abandoned/<step>/`. The change stands in the
configuration, under the option that the application names for it, as `{step, key: value}`: so the
trial has a fingerprint and a command like any other, and can be reproduced alone.
"""

import copy
import math
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override

from sweeps.config import locate
from sweeps.io.atomic import read_json, write_json, write_text
from sweeps.plan.planner import trial_command
from sweeps.plan.population import PopulationValues, population_values, value_at
from sweeps.store import fingerprint, read_config, read_metrics, read_trial
from sweeps.store.provenance import add_provenance, read_provenance
from sweeps.store.trial import TRIAL_FILE, read_overrides, to_yaml, update_trial
from sweeps.tune.task import WorkerTask


def population_scheduler() -> type:
    """Make the subclass of Ray's scheduler whose trials cannot wait for each other for ever.

    With Ray's, a trial waits until all come to a certain time. After an exchange that may be a time
    that all have passed already, where trials continue and where reports are rarer than exchanges.
    And nobody goes on where the one that they wait for ends before that time.
    """
    from ray.tune.schedulers import PopulationBasedTraining

    class SynchronousPopulation(PopulationBasedTraining):
        _exchanged = 0.0

        def begin_after(self, time: float) -> None:
            """Take the time of the latest exchange that was made before."""
            self._exchanged = time
            self._next_perturbation_sync = time + self._perturbation_interval

        def on_trial_add(self, controller: Any, trial: Any) -> None:
            super().on_trial_add(controller, trial)
            self._trial_state[trial].last_perturbation_time = self._exchanged  # type: ignore[assignment]

        def on_trial_result(self, controller: Any, trial: Any, result: dict[str, Any]) -> Any:
            for one in controller.get_live_trials():
                if one.is_finished():  # its worker died; Ray's scheduler would wait for it
                    self._trial_state[one].last_train_time = math.inf  # type: ignore[assignment]
            before = self._next_perturbation_sync
            decision = super().on_trial_result(controller, trial, result)
            if self._next_perturbation_sync != before:
                following = result["time"] + self._perturbation_interval
                reached = [self._trial_state[one].last_train_time for one in _live(controller)]
                self._next_perturbation_sync = max(following, *reached)
            return decision

        def choose_trial_to_run(self, controller: Any) -> Any:
            chosen = super().choose_trial_to_run(controller)
            live = _live(controller)
            if chosen or not live or any(trial.status != trial.PAUSED for trial in live):
                return chosen
            states = {trial: self._trial_state[trial] for trial in live}
            latest = max(live, key=lambda trial: states[trial].last_train_time)
            self.on_trial_result(controller, latest, states[latest].last_result or {})
            return super().choose_trial_to_run(controller)

    return SynchronousPopulation


def _live(controller: Any) -> list[Any]:
    return [trial for trial in controller.get_live_trials() if not trial.is_finished()]


def latest_exchange(directories: Iterable[Path], time_tag: str) -> float:
    """Return the time of a population's latest exchange, 0 where there was none.

    Args:
      directories: folders of its trials.
      time_tag: tag by which the scheduler counts time; `step` is the step itself.
    """
    times = [0.0]
    for directory in directories:
        steps = {change["step"] for change in read_provenance(directory).facts.get("lineage", [])}
        rows = read_metrics(directory / "metrics.csv") if steps else []
        times += [row[time_tag] for row in rows if row["step"] in steps and time_tag in row]
    return max(times)


STATE_FILE = "state.json"
"""In an exported state: the step that it is of."""


def export_state(directory: Path, step: int, into: Path) -> None:
    """Copy what another trial needs to continue from a trial's state at this step."""
    for name in ("config.yaml", "overrides.yaml", TRIAL_FILE, "metrics.csv"):
        shutil.copy2(directory / name, into / name)
    write_json(into / STATE_FILE, {"step": step})
    shutil.copytree(directory / "checkpoints", into / "checkpoints")


def exploit(directory: Path, exported: Path, values: PopulationValues, task: WorkerTask) -> None:
    """Let a trial continue from an exported state with these values.

    Nothing is changed if the state is the trial's own and has these values.

    Args:
      directory: the trial's folder.
      exported: what `export_state` wrote.
      values: option -> value from here on.
      task: names the application's options and commands.
    """
    source, own = read_trial(exported), read_trial(directory)
    config = read_config(exported)
    before = population_values(config, task.schedule_option, list(values))
    changed = {key: value for key, value in values.items() if value != before[key]}
    is_own = source.planned_fingerprint == own.planned_fingerprint
    if is_own and not changed:
        return
    step = int((read_json(exported / STATE_FILE) or {})["step"])
    if not is_own:
        _replace_history(directory, exported, step)
    if changed:
        config = _with_change(config, task.schedule_option, {"step": step, **changed})
    overrides = [
        *_without(read_overrides(exported), task.schedule_option),
        _override(config, task.schedule_option),
    ]
    write_text(directory / "config.yaml", to_yaml(config))
    write_text(directory / "overrides.yaml", to_yaml(overrides))
    update_trial(
        directory,
        fingerprint=fingerprint(identity(task, config)),
        train_command=trial_command(task.train_command, overrides),
    )
    change = {"step": step, "from": source.planned_fingerprint, **changed}
    lineage = read_provenance(directory).facts.get("lineage", [])
    add_provenance(directory, lineage=[*lineage, change])


def _replace_history(directory: Path, exported: Path, step: int) -> None:
    aside = directory / "abandoned" / str(step)
    aside.mkdir(parents=True, exist_ok=True)
    for path in directory.glob("events.out.tfevents.*"):
        # TensorBoard would take the folder for a run of its own.
        path.rename(aside / path.name.replace("tfevents", "old"))
    (directory / "metrics.csv").replace(aside / "metrics.csv")
    shutil.copy2(exported / "metrics.csv", directory / "metrics.csv")
    fresh = directory / "checkpoints.new"
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(exported / "checkpoints", fresh)
    shutil.rmtree(directory / "checkpoints")
    fresh.rename(directory / "checkpoints")


def _with_change(config: Mapping[str, Any], key: str, change: Mapping[str, Any]) -> dict[str, Any]:
    changed = copy.deepcopy(dict(config))
    section, _, name = key.rpartition(".")
    value_at(changed, section)[name].append(dict(change))
    return changed


def _override(config: Mapping[str, Any], key: str) -> str:
    changes = [
        {name: value for name, value in change.items() if value is not None}
        for change in value_at(config, key)
    ]
    return f"{key}={Override._get_value_element_as_str(changes)}"


def _without(overrides: list[str], key: str) -> list[str]:
    return [text for text in overrides if not text.startswith(f"{key}=")]


def identity(task: WorkerTask, config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what defines the result of a configuration."""
    found = locate(task.identify)(config)
    assert isinstance(found, Mapping)
    return found
