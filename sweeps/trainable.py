"""The function that Tune calls in a worker."""

import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from sweeps import cluster
from sweeps.population import pack, take_over
from sweeps.work import Work
from sweeps.worker import Report, at_hand, train_trial


def train(config: dict[str, Any]) -> None:
    """Train the trial of a configuration that Tune gives."""
    from ray import tune

    os.environ.update(cluster.SETTINGS)
    work = Work(**config["work"])
    # Of a population, another trial's configuration may stand in place of this one's; not its name.
    place = Path(config["directory"]).with_name(tune.get_context().get_trial_name())
    with at_hand(place, work) as (directory, saved):
        values = config.get("values")
        if values is None:
            train_trial(directory, work, lambda report: tune.report(asdict(report)), saved)
        else:
            _train_member(directory, work, values, saved)


def _train_member(
    directory: Path, work: Work, values: dict[str, float], saved: Callable[[], None]
) -> None:
    """Train a trial of a population, which may have to go on from another one's state."""
    from ray import tune

    if given := tune.get_checkpoint():
        with given.as_directory() as packed:
            take_over(directory, Path(packed), values, work)

    def send(report: Report) -> None:
        if report.score is None or report.step == report.total_steps:
            # After the last step there is nothing to go on with.
            tune.report(asdict(replace(report, score=None)))
            return
        with tempfile.TemporaryDirectory() as packed:
            pack(directory, report.step, Path(packed))
            tune.report(asdict(report), checkpoint=tune.Checkpoint.from_directory(packed))

    train_trial(directory, work, send, saved)
