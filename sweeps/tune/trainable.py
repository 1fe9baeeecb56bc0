"""The function that Tune calls in a worker."""

import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from sweeps.tune import cluster
from sweeps.tune.pack_worker import Lane, train_pack
from sweeps.tune.pbt import exploit, export_state
from sweeps.tune.task import WorkerTask
from sweeps.tune.worker import Report, local_copy, train_trial


def train(config: dict[str, Any]) -> None:
    """Train the trial of a configuration that Tune gives, or the trials."""
    from ray import tune

    os.environ.update(cluster.SETTINGS)
    work = WorkerTask(**config["work"])
    if lanes := config.get("lanes"):
        _train_lanes([Path(lane) for lane in lanes], work)
        return
    # Of a population, another trial's configuration may stand in place of this one's; not its name.
    place = Path(config["directory"]).with_name(tune.get_context().get_trial_name())
    with local_copy(place, work) as (directory, saved):
        values = config.get("values")
        if values is None:
            train_trial(directory, work, lambda report: tune.report(asdict(report)), saved)
        else:
            _train_member(directory, work, values, saved)


def _train_lanes(places: Sequence[Path], work: WorkerTask) -> None:
    """Train trials together."""
    from ray import tune

    with ExitStack() as folders:
        lanes = [Lane(*folders.enter_context(local_copy(place, work))) for place in places]
        train_pack(lanes, work, tune.report)


def _train_member(
    directory: Path, work: WorkerTask, values: dict[str, float], saved: Callable[[], None]
) -> None:
    """Train a trial of a population, which may have to go on from another one's state."""
    from ray import tune

    if given := tune.get_checkpoint():
        with given.as_directory() as packed:
            exploit(directory, Path(packed), values, work)

    def send(report: Report) -> None:
        if report.score is None or report.step == report.total_steps:
            # After the last step there is nothing to go on with.
            tune.report(asdict(replace(report, score=None)))
            return
        with tempfile.TemporaryDirectory() as packed:
            export_state(directory, report.step, Path(packed))
            tune.report(asdict(report), checkpoint=tune.Checkpoint.from_directory(packed))

    train_trial(directory, work, send, saved)
