"""Export of a sweep to a project of Weights & Biases, with a run for each trial.

What was exported is noted in the sweep's folder, in `.exported.json`: offline there is no server to
ask. The id of a run follows from the trial, so that a trial that has changed replaces its run.
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import wandb

from sweeps.errors import UserError, first_line
from sweeps.export.records import Changes, Record, compare
from sweeps.store import Sweep, TrialStatus, read_config, read_metrics
from sweeps.store.format import FieldTypes, read_fields, write_fields
from sweeps.store.metrics import METRICS_FILE, merge_steps

EXPORTED_FILE = ".exported.json"
EXPORTED_TYPES: FieldTypes = {"exported": dict[str, dict[str, str]]}
"""`exported`: where to -> key of a trial -> digest of what was exported of it."""


def export(sweep: Sweep, records: Sequence[Record], target: str, name: str) -> tuple[Changes, str]:
    """Write trials to a project; see `sweeps.export.export.export_sweep`.

    Raises:
      UserError: Weights & Biases refuses it, or a file cannot be written.
    """
    entity, _, project = target.rpartition("/")
    mode = os.environ.get("WANDB_MODE", "online")
    place = f"wandb {target} {name} {mode}"
    exported = _read_exported(sweep.folder)
    known = exported.setdefault(place, {})
    changes = compare(records, known)
    for record in changes.to_write:
        try:
            _write_run(sweep, record, project=project, entity=entity or None, group=name)
        except wandb.errors.Error as error:
            raise UserError(f"Weights & Biases refuses it: {first_line(error)}") from error
        known[record.key] = record.digest
        write_fields(sweep.folder / EXPORTED_FILE, {"exported": exported}, durable=False)
    where = f"they are in the group {name} of the project {target}"
    if mode == "offline":
        where += "; wandb sync brings them to its server"
    return changes, where


def _read_exported(folder: Path) -> dict[str, dict[str, str]]:
    fields = read_fields(folder / EXPORTED_FILE, EXPORTED_TYPES) or {}
    return {place: dict(known) for place, known in fields.get("exported", {}).items()}


def _write_run(
    sweep: Sweep, record: Record, *, project: str, entity: str | None, group: str
) -> None:
    trial = record.trial
    run = wandb.init(
        project=project,
        entity=entity,
        group=group,
        id=run_id(group, record.key),
        name=record.name,
        config={**read_config(trial.directory), "settings": dict(trial.settings)},
        tags=trial.tags,
        reinit="finish_previous",
        settings=wandb.Settings(
            silent=True, console="off", save_code=False, disable_git=True, x_disable_stats=True
        ),
    )
    for step, values in sorted(merge_steps(read_metrics(trial.directory / METRICS_FILE)).items()):
        run.log({tag: value for tag, value in values.items() if tag != "step"}, step=step)
    run.summary.update(_summary(sweep, record))
    run.finish(exit_code=0 if trial.status in (TrialStatus.FINISHED, TrialStatus.STOPPED) else 1)


def _summary(sweep: Sweep, record: Record) -> dict[str, Any]:
    trial = record.trial
    best, step = trial.best_of(sweep.metric)
    known = {} if best is None else {f"best/{sweep.metric}": best, "best/step": step}
    return {
        **trial.metrics,
        **known,
        "status": trial.status.value,
        "seconds": trial.seconds,
        "fingerprint": trial.fingerprint,
        "command": trial.train_command,
        **({"error": trial.error} if trial.error else {}),
    }


def run_id(group: str, key: str) -> str:
    """Return the id of a trial's run, which is the same at each export."""
    return hashlib.sha256(f"{group}/{key}".encode()).hexdigest()[:16]
