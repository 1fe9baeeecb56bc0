"""What Tune calls in a worker."""

import os
import signal
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from sweeps.tune.pack_worker import Lane, train_pack
from sweeps.tune.session import SETTINGS
from sweeps.tune.task import WorkerTask
from sweeps.tune.worker import Report, local_copy, train_trial

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
"""Signals that may come to all processes of a job."""


def make_trainable(task: WorkerTask) -> type:
    """Return the class of Tune's actors: they call `train`, and no signal to a job ends them.

    The driver gets the signal too, and has the trials save.

    Args:
      task: what all trials of the sweep share. Tune copies each trial's configuration several
        times, and keeps statistics of each number in it, so the task is not there.
    """
    from ray.tune.trainable import wrap_function

    def train_config(config: dict[str, Any]) -> None:
        train(config, task)

    class Worker(wrap_function(train_config)):  # type: ignore[misc]
        def setup(self, config: dict[str, Any]) -> None:
            # A worker begins with these signals blocked, and so would programs that it starts.
            for number in SIGNALS:
                signal.signal(number, lambda number, frame: None)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            super().setup(config)

    return Worker


def train(config: dict[str, Any], task: WorkerTask) -> None:
    """Train the trial, or the pack, of a configuration that Tune gives.

    Args:
      config: `directory`, of the trial; `lanes`, the folders of a pack; `values`, of a
        population's trial, by option.
      task: what all trials of the sweep share.
    """
    from ray import tune

    os.environ.update(SETTINGS)
    if lanes := config.get("lanes"):
        _train_pack([Path(lane) for lane in lanes], task)
        return
    # In a population, another trial's configuration may replace this one's, but not its name.
    path = Path(config["directory"]).with_name(tune.get_context().get_trial_name())
    with local_copy(path, task) as (directory, upload):
        values = config.get("values")
        if values is None:
            train_trial(directory, task, _send, upload, partial(_fail, path.name))
            return
        is_first = tune.get_checkpoint() is None  # since this command began
        send = _start_member(directory, task, values)
        fail = partial(_fail, path.name)
        train_trial(directory, task, send, upload, fail, repeats_last=is_first)


def _send(report: Report) -> None:
    from ray import tune

    tune.report(asdict(report))


def _fail(name: str, reason: str) -> None:
    """Report a failure that is not written in the trial's folder."""
    from ray import tune

    # A list: Tune flattens dictionaries on their way to a scheduler.
    tune.report({"score": None, "failed": [(name, reason)]})


def _train_pack(paths: Sequence[Path], task: WorkerTask) -> None:
    from ray import tune

    with ExitStack() as copies:
        lanes = []
        for path in paths:
            directory, upload = copies.enter_context(local_copy(path, task))
            lanes.append(Lane(directory=directory, upload=upload))
        train_pack(lanes, task, tune.report)


def _start_member(
    directory: Path, task: WorkerTask, values: dict[str, float]
) -> Callable[[Report], None]:
    """Make ready a trial of a population; returns what sends its reports.

    It may have to continue from another one's state.
    """
    from ray import tune

    from sweeps.tune.pbt import exploit, export_state

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

    return send
