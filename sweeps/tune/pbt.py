"""A trial of a population: it may go on from another one's state, with numbers changed.

Afterwards its folder tells the history of the model that is in it: the other trial's up to that
step, its own from there. What it had before lies in `abandoned/<step>/`. The change stands in the
configuration, under the option that the application names for it, as `{step, key: value}`: so the
trial has a fingerprint and a command like any other, and can be reproduced alone.
"""

import copy
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override

from sweeps.config.hooks import locate
from sweeps.io.atomic import read_json, write_json, write_text
from sweeps.plan.planner import trial_command
from sweeps.plan.population import PopulationValues, population_values, value_at
from sweeps.store.fingerprint import fingerprint
from sweeps.store.trial import read_config, read_overrides, to_yaml
from sweeps.tune.task import WorkerTask


def export_state(directory: Path, step: int, into: Path) -> None:
    """Copy what another trial needs to go on from a trial's present state, that of `step`."""
    for name in ("config.yaml", "overrides.yaml", "trial.json", "metrics.csv"):
        shutil.copy2(directory / name, into / name)
    write_json(into / "state.json", {"step": step})
    shutil.copytree(directory / "checkpoints", into / "checkpoints")


def exploit(directory: Path, packed: Path, values: PopulationValues, work: WorkerTask) -> None:
    """Let a trial go on from a packed state with these values; nothing to do if it has them."""
    source = read_json(packed / "trial.json") or {}
    own = read_json(directory / "trial.json") or {}
    config = read_config(packed)
    old = population_values(config, work.schedule_option, list(values))
    changed = {key: value for key, value in values.items() if value != old[key]}
    if source["origin"] == own["origin"] and not changed:
        return
    step = int((read_json(packed / "state.json") or {})["step"])
    if source["origin"] != own["origin"]:
        _replace_history(directory, packed, step)
    config = (
        _with_change(config, work.schedule_option, {"step": step, **changed}) if changed else config
    )
    overrides = [
        *_without(read_overrides(packed), work.schedule_option),
        _override(config, work.schedule_option),
    ]
    known = {
        **own,
        "fingerprint": fingerprint(identity(work, config)),
        "command": trial_command(work.train_command, overrides),
    }
    write_text(directory / "config.yaml", to_yaml(config))
    write_text(directory / "overrides.yaml", to_yaml(overrides))
    write_json(directory / "trial.json", known)
    _note(directory, {"step": step, "from": source["origin"], **changed})


def _replace_history(directory: Path, packed: Path, step: int) -> None:
    aside = directory / "abandoned" / str(step)
    aside.mkdir(parents=True, exist_ok=True)
    for path in directory.glob("events.out.tfevents.*"):
        # TensorBoard would take the folder for a run of its own.
        path.rename(aside / path.name.replace("tfevents", "old"))
    (directory / "metrics.csv").replace(aside / "metrics.csv")
    shutil.copy2(packed / "metrics.csv", directory / "metrics.csv")
    fresh = directory / "checkpoints.new"
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(packed / "checkpoints", fresh)
    shutil.rmtree(directory / "checkpoints")
    fresh.rename(directory / "checkpoints")


def _with_change(config: Mapping[str, Any], key: str, change: Mapping[str, Any]) -> dict[str, Any]:
    changed = copy.deepcopy(dict(config))
    section, _, name = key.rpartition(".")
    value_at(changed, section)[name].append(dict(change))
    return changed


def _override(config: Mapping[str, Any], key: str) -> str:
    changes = [
        {k: v for k, v in change.items() if v is not None} for change in value_at(config, key)
    ]
    return f"{key}={Override._get_value_element_as_str(changes)}"


def _without(overrides: list[str], key: str) -> list[str]:
    return [text for text in overrides if not text.startswith(f"{key}=")]


def _note(directory: Path, event: Mapping[str, Any]) -> None:
    facts = read_json(directory / "provenance.json") or {}
    lineage = [*facts.get("lineage", []), dict(event)]
    write_json(directory / "provenance.json", {**facts, "lineage": lineage})


def identity(work: WorkerTask, config: Mapping[str, Any]) -> Mapping[str, Any]:
    """What defines a configuration's result."""
    found = locate(work.identify)(config)
    assert isinstance(found, Mapping)
    return found
