"""Trains trials in parallel through Ray Tune.

Tune gets trial folders, as a list or one by one from a searcher. A worker reads its configuration
from the folder and writes everything there. Tune itself starts, retries, stops and compares trials,
and passes reports on.
"""

import itertools
import shutil
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from sweeps.config import Application, FrameworkConfig, locate
from sweeps.io.atomic import make_directory
from sweeps.io.mirror import Mirror, without_checkpoints
from sweeps.plan import PendingTrials
from sweeps.plan.packs import Pack, pack_summary
from sweeps.run import Interrupt
from sweeps.store import read_config
from sweeps.tune import cluster
from sweeps.tune.callback import RunContext, trial_folders, tune_callback
from sweeps.tune.optuna_searcher import build_searcher
from sweeps.tune.outcome import MemoryRanOut, Outcome
from sweeps.tune.progress import Progress
from sweeps.tune.schedulers import build_scheduler, pack_scheduler, replay
from sweeps.tune.task import WorkerTask
from sweeps.tune.trainable import train

STOP_FOLDER = ".stop"
"""In a sweep's folder: a file `now` stops all trials, one of a trial's name stops that trial."""


def run_trials(
    pending: PendingTrials,
    task: WorkerTask,
    options: FrameworkConfig,
    *,
    application: Application,
    scratch: Path,
    progress: Progress,
    mirror: Mirror | None,
) -> Outcome:
    """Train every trial; returns when all have ended or Ctrl-C was pressed.

    Args:
      pending: the trials.
      task: what they share; its `environment`, `provenance` and `stop_file` are filled in here.
      options: of the sweep, its search, scheduler and resources.
      application: its `environment` hook gives the workers' variables.
      scratch: folder for Tune's own state, emptied first and deleted afterwards.
      progress: shows each start, report and end.
      mirror: of the URL that keeps the results; None: trial folders are the same everywhere.

    Raises:
      UserError: the cluster cannot be reached, or cannot ever hold one trial.
      MemoryRanOut: a machine did; the statuses of the trials that have ended are final.
    """
    running: dict[str, list[Path]] = {}
    _clear(scratch, mirror)
    make_directory(scratch)
    outcome = Outcome(metric=task.metric, mode=task.mode, time_limit=task.time_limit or 0.0)
    sweep, name = options.sweep, scratch.parent.name
    try:
        # Ray prints paragraphs about dead workers, whatever its log level.
        with (
            (scratch / "driver.log").open("w") as log,
            redirect_stdout(log),
            cluster.session(options.ray.address),
        ):
            gpus = cluster.gpus_per_trial(sweep)
            cluster.check_resources(sweep.cpus_per_trial, gpus)
            stop_file = scratch.with_name(STOP_FOLDER) / "now"
            environment = application.environment
            task = replace(
                task,
                environment=locate(environment)(sweep.cpus_per_trial, gpus) if environment else {},
                provenance={"cpus": sweep.cpus_per_trial, "gpus": gpus},
                stop_file=str(stop_file),
            )
            with progress, Interrupt() as interrupt:
                context = RunContext(
                    progress=progress,
                    outcome=outcome,
                    scheduler=options.scheduler.kind,
                    interrupt=interrupt,
                    stop_all=partial(_request_stop, stop_file, mirror),
                    stop_trial=lambda trial: _request_stop(stop_file.with_name(trial), mirror),
                    fetch=partial(_fetch, mirror),
                    running=running,
                )
                storage = mirror.file_system(f"{name}/.ray") if mirror else (None, str(scratch))
                _tune(pending, task, options, gpus=gpus, storage=storage, context=context)
    except KeyboardInterrupt:
        outcome.interrupted = True
    except RuntimeError as error:
        # Of all ways in which a worker may end, Tune does not expect this one.
        if not cluster.is_out_of_memory(error.__cause__):
            raise
        raise MemoryRanOut(itertools.chain(*running.values())) from error
    finally:
        _clear(scratch, mirror)
    return outcome


def _tune(
    pending: PendingTrials,
    task: WorkerTask,
    options: FrameworkConfig,
    *,
    gpus: float,
    storage: tuple[Any, str],
    context: RunContext,
) -> None:
    from ray import tune

    axes = pending.population.axes if pending.population else {}
    handle = build_scheduler(options.scheduler, options.sweep, axes)
    replay(handle, pending.history, options.scheduler, task.metric)
    resources = {"cpu": options.sweep.cpus_per_trial, "gpu": gpus}
    packs = _packs(pending, options.sweep.cpus_per_trial, gpus)
    if summary := pack_summary(packs):
        context.progress.print_line(f"{summary[0].upper()}{summary[1:]}")
    tuner = tune.Tuner(
        tune.with_resources(train, resources),
        param_space={"task": asdict(task), **_param_space(pending, packs)},
        tune_config=tune.TuneConfig(
            reuse_actors=True,
            trial_name_creator=lambda trial: trial_folders(trial)[0].name,
            trial_dirname_creator=lambda trial: str(trial.trial_id),
            scheduler=pack_scheduler(handle, context.stop_trial) if packs else handle.scheduler,
            search_alg=build_searcher(pending, options) if pending.search else None,
            num_samples=pending.num_left if pending.search else 1,
        ),
        run_config=tune.RunConfig(
            name="tune",
            storage_filesystem=storage[0],
            storage_path=storage[1],
            verbose=0,
            failure_config=tune.FailureConfig(max_failures=options.sweep.retries),
            callbacks=[tune_callback(context, handle)],
        ),
    )
    tuner.fit()
    context.outcome.interrupted = context.interrupt.requested


def _packs(pending: PendingTrials, cpus: int, gpus: float) -> list[Pack]:
    """The packs of all trials; empty where each is trained alone."""
    if pending.packer is None:
        return []
    packs = pending.packer.packs(
        [read_config(path) for path in pending.directories],
        slots=cluster.slots_now(cpus, gpus),
        cpus=cpus,
        gpus=gpus,
        halvings=[pending.halvings.get(path.name, 0) for path in pending.directories],
    )
    return packs if any(pack.vectorized for pack in packs) else []


def _param_space(pending: PendingTrials, packs: Sequence[Pack]) -> dict[str, Any]:
    """Make Tune's search space: for each of its trials a folder, or the folders of a pack."""
    from ray import tune

    if pending.search is not None:
        return {}
    paths = [str(path) for path in pending.directories]
    if packs:
        lanes = {
            paths[pack.lanes[0]]: [paths[lane] for lane in pack.lanes] if pack.vectorized else []
            for pack in packs
        }
        of_first = tune.sample_from(
            lambda spec: lanes[spec.config.directory]  # type: ignore[attr-defined]
        )
        return {"directory": tune.grid_search(list(lanes)), "lanes": of_first}
    space: dict[str, Any] = {"directory": tune.grid_search(paths)}
    if pending.population:
        values = {str(path): numbers for path, numbers in pending.population.values.items()}
        space["values"] = tune.sample_from(
            lambda spec: values[spec.config.directory]  # type: ignore[attr-defined]
        )
    return space


def _request_stop(stop_file: Path, mirror: Mirror | None) -> None:
    """Leave a file where the workers look for it."""
    stop_file.parent.mkdir(parents=True, exist_ok=True)
    stop_file.touch()
    if mirror:
        mirror.push("/".join(stop_file.parent.parts[-2:]))


def _fetch(mirror: Mirror | None, directory: Path) -> None:
    """Bring a trial's folder to this machine, without its checkpoints."""
    if mirror:
        mirror.pull("/".join(directory.parts[-2:]), without_checkpoints)


def _clear(scratch: Path, mirror: Mirror | None) -> None:
    """Remove Tune's own state and requests to stop."""
    for folder in (scratch, scratch.with_name(STOP_FOLDER)):
        shutil.rmtree(folder, ignore_errors=True)
        if mirror:
            mirror.remove("/".join(folder.parts[-2:]))
