"""The function that Tune calls in a worker."""

import os
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from sweeps.tune import cluster
from sweeps.tune.pack_worker import Lane, train_pack
from sweeps.tune.pbt import exploit, export_state
from sweeps.tune.task import WorkerTask
from sweeps.tune.worker import Report, Upload, local_copy, train_trial


def train(config: dict[str, Any]) -> None:
    """Train the trial, or the pack, of a configuration that Tune gives.

    Args:
      config: `task`, the fields of a `WorkerTask`; `directory`, of the trial; `lanes`, the folders
        of a pack; `values`, of a population's trial, by option.
    """
    from ray import tune

    os.environ.update(cluster.SETTINGS)
    task = WorkerTask(**config["task"])
    if lanes := config.get("lanes"):
        _train_pack([Path(lane) for lane in lanes], task)
        return
    # In a population, another trial's configuration may replace this one's, but not its name.
    path = Path(config["directory"]).with_name(tune.get_context().get_trial_name())
    with local_copy(path, task) as (directory, upload):
        values = config.get("values")
        if values is None:
            train_trial(directory, task, lambda report: tune.report(asdict(report)), upload)
        else:
            _train_member(directory, task, values, upload)


def _train_pack(paths: Sequence[Path], task: WorkerTask) -> None:
    from ray import tune

    with ExitStack() as copies:
        lanes = []
        for path in paths:
            directory, upload = copies.enter_context(local_copy(path, task))
            lanes.append(Lane(directory=directory, upload=upload))
        train_pack(lanes, task, tune.report)


def _train_member(
    directory: Path, task: WorkerTask, values: dict[str, float], upload: Upload
) -> None:
    """Train a trial of a population, which may have to continue from another one's state."""
    from ray import tune

    if given := tune.get_checkpoint():
        with given.as_directory() as exported:
            exploit(directory, Path(exported), values, task)

    def send(report: Report) -> None:
        if report.score is None or report.step == report.total_steps:
            # Nobody can continue from the state after the last step.
            tune.report(asdict(replace(report, score=None)))
            return
        with tempfile.TemporaryDirectory() as exported:
            export_state(directory, report.step, Path(exported))
            tune.report(asdict(report), checkpoint=tune.Checkpoint.from_directory(exported))

    train_trial(directory, task, send, upload)
