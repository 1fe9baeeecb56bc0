"""Export of a sweep as an experiment of MLflow, with a run for each trial.

A trial's settings are the run's parameters, all that it reported are its metrics by step. A run
whose trial has changed since is deleted, as MLflow deletes, and written anew.
"""

import logging
import os
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from sweeps.errors import UserError, first_line
from sweeps.export.records import DIGEST, KEY, Changes, Record, compare
from sweeps.store import Sweep, TrialStatus, read_metrics
from sweeps.store.metrics import INDEX_COLUMNS, METRICS_FILE

# Before it is imported: it would report its use, and ask a server that is not there for minutes.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")

from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

STATES = {
    TrialStatus.FINISHED: "FINISHED",
    TrialStatus.STOPPED: "KILLED",
    TrialStatus.INTERRUPTED: "KILLED",
}
"""Status -> status of the run; of all others FAILED."""
METRICS_AT_ONCE = 1000
PARAMS_AT_ONCE = 100
"""Most that MLflow takes in one request."""
RUNS_AT_ONCE = 1000


def export(sweep: Sweep, records: Sequence[Record], target: str, name: str) -> tuple[Changes, str]:
    """Write trials to an experiment; see `sweeps.export.export.export_sweep`.

    Raises:
      UserError: MLflow refuses it, or its server cannot be reached.
    """
    for logger in ("mlflow", "alembic"):
        logging.getLogger(logger).setLevel(logging.WARNING)
    try:
        client = MlflowClient(tracking_uri=target)
        found = client.get_experiment_by_name(name)
        experiment = found.experiment_id if found else client.create_experiment(name)
        runs = {
            run.data.tags.get(KEY, ""): run
            for run in _runs(client, experiment)
            if run.data.tags.get("sweep") == sweep.folder.resolve().name
        }
        known = {key: run.data.tags.get(DIGEST, "") for key, run in runs.items()}
        changes = compare(records, known)
        for record in changes.changed:
            client.delete_run(runs[record.key].info.run_id)
        for record in changes.to_write:
            _write_run(client, experiment, sweep, record)
    except MlflowException as error:
        raise UserError(f"MLflow at {target} refuses it: {first_line(error)}") from error
    return changes, f"they are in the experiment {name} of {target}"


def _runs(client: MlflowClient, experiment: str) -> Iterator[Any]:
    token: str | None = None
    while True:
        page = client.search_runs([experiment], max_results=RUNS_AT_ONCE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _write_run(client: MlflowClient, experiment: str, sweep: Sweep, record: Record) -> None:
    trial = record.trial
    rows = read_metrics(trial.directory / METRICS_FILE)
    end = rows[-1]["wall_time"] if rows else trial.directory.stat().st_mtime
    tags = {
        KEY: record.key,
        "status": trial.status.value,
        "sweep": sweep.folder.resolve().name,
        "folder": str(trial.directory.resolve()),
        "command": trial.train_command,
        **({"error": trial.error} if trial.error else {}),
        **{f"tag.{word}": "true" for word in trial.tags},
    }
    start = _milliseconds(end - trial.seconds)
    run = client.create_run(experiment, start_time=start, run_name=record.name, tags=tags)
    params = [Param(clean_key(key), label) for key, label in trial.settings.items()]
    metrics = [
        Metric(clean_key(tag), value, _milliseconds(row["wall_time"]), int(row["step"]))
        for row in rows
        for tag, value in row.items()
        if tag not in INDEX_COLUMNS
    ]
    best, step = trial.best_of(sweep.metric)
    if best is not None:
        key = clean_key(f"best/{sweep.metric}")
        metrics.append(Metric(key, best, _milliseconds(end), step or 0))
    for chunk in _chunks(params, PARAMS_AT_ONCE):
        client.log_batch(run.info.run_id, params=chunk)
    for chunk in _chunks(metrics, METRICS_AT_ONCE):
        client.log_batch(run.info.run_id, metrics=chunk)
    status = TrialStatus.FINISHED if trial.completed else trial.status
    client.set_terminated(run.info.run_id, STATES.get(status, "FAILED"), _milliseconds(end))
    client.log_batch(run.info.run_id, tags=[RunTag(DIGEST, record.digest)])


def clean_key(key: str) -> str:
    """Return the name of a parameter or metric in the characters that MLflow allows."""
    return re.sub(r"[^\w\-. /]", "_", key, flags=re.ASCII)


def _milliseconds(seconds: float) -> int:
    return int(1000 * seconds)


def _chunks(items: Sequence[Any], size: int) -> Iterator[list[Any]]:
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk
