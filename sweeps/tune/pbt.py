"""Population based training: a trial may continue from another one's state with numbers changed.

Afterwards its folder holds the history of the model that is in it: the other trial's up to that
step, then its own. Its earlier history is moved to `abandoned/<step>/`. The change stands in the
configuration, under the option that the application names for it, as `{step, key: value}`: so the
trial has a fingerprint and a command like any other, and can be reproduced alone.
"""

import copy
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override

from sweeps.config import locate
from sweeps.io.atomic import read_json, write_json, write_text
from sweeps.plan.planner import trial_command
from sweeps.plan.population import PopulationValues, population_values, value_at
from sweeps.store import fingerprint, read_config, read_trial
from sweeps.store.provenance import add_provenance, read_provenance
from sweeps.store.trial import TRIAL_FILE, read_overrides, to_yaml, update_trial
from sweeps.tune.task import WorkerTask

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
