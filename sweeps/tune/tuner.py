"""Trains trials in parallel through Ray Tune.

Tune gets trial folders, as a list or one by one from a searcher. A worker reads its configuration
from the folder and writes everything there. Tune itself starts, retries, stops and compares trials,
and passes reports on.
"""

import errno
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from sweeps.config import Application, CustomSchedulerConfig, FrameworkConfig, locate
from sweeps.errors import UserError
from sweeps.io.mirror import Mirror, without_checkpoints
from sweeps.plan import PendingTrials
from sweeps.plan.packs import Pack, pack_summary
from sweeps.store import read_config
from sweeps.store.log import is_no_log
from sweeps.store.stop_requests import STOP_ALL, STOP_FOLDER, read_requests
from sweeps.tracking import Interrupt
from sweeps.tune import cluster
from sweeps.tune.callback import RunContext, trial_folders, tune_callback
from sweeps.tune.controller import lean_controller
from sweeps.tune.custom_parts import check_custom, custom_callbacks
from sweeps.tune.guard import SweepGuard
from sweeps.tune.outcome import MemoryRanOut, Outcome
from sweeps.tune.placement_groups import settled_placement_groups
from sweeps.tune.progress import Progress
from sweeps.tune.schedulers import (
    build_scheduler,
    pack_scheduler,
    replay,
    resume_population,
)
from sweeps.tune.searcher import build_searcher
from sweeps.tune.session import RaySession, SessionLost
from sweeps.tune.task import WorkerTask
from sweeps.tune.time_limit import POLL_SECONDS, PolledRequests
from sweeps.tune.trainable import make_trainable
from sweeps.tune.trial_list import make_trial_list
from sweeps.tune.wait_notice import WaitNotice

REPORTS_A_SECOND = 50
"""Reports that all trials together send in a second, beside those that a scheduler needs."""
TUNE_FOLDER = ".ray"
"""In a sweep's folder: Tune's own storage, where workers of several machines need it."""


def run_trials(
    pending: PendingTrials,
    task: WorkerTask,
    options: FrameworkConfig,
    *,
    application: Application,
    folder: Path,
    progress: Progress,
    guard: SweepGuard,
    mirror: Mirror | None,
) -> Outcome:
    """Train every trial; returns when all have ended, or the sweep ended early.

    A signal ends it early, the guard, or a Ray session that is gone.

    Args:
      pending: the trials.
      task: what they share; its `environment`, `provenance` and `stop_file` are filled in here.
      options: of the sweep, its search, scheduler and resources.
      application: its `environment` hook gives the workers' variables.
      folder: of the sweep.
      progress: shows each start, report and end.
      guard: ends the sweep where it is to end before its trials.
      mirror: of the URL that keeps the results; None: trial folders are the same everywhere.

    Raises:
      UserError: the cluster cannot be reached, or cannot ever hold one trial.
      UserError: a scheduler, searcher or callback that the options name cannot be made.
      MemoryRanOut: a machine did; the statuses of the trials that have ended are final.
    """
    running: dict[str, list[Path]] = {}
    outcome = Outcome(metric=task.metric, mode=task.mode, time_limit=task.time_limit or 0.0)
    check_custom(options)
    with (
        _cleared(folder, mirror),
        _recorded_end(outcome, running),
        _scratch() as scratch,
        # Ray prints paragraphs about dead workers, whatever its log level.
        (scratch / "driver.log").open("w") as log,
        redirect_stdout(log),
        progress,
        Interrupt() as interrupt,
    ):
        context = RunContext(
            progress=progress,
            outcome=outcome,
            guard=guard,
            scheduler=options.scheduler.kind,
            interrupt=interrupt,
            fetch=partial(_fetch, mirror),
            running=running,
        )
        places = _Places(folder=folder, scratch=scratch, mirror=mirror)
        work = partial(_train, pending, task, options, application, context, places)
        try:
            RaySession(options.ray.address, work).run(
                interrupt, partial(progress.phase, is_line=True), progress.refresh
            )
        finally:
            outcome.interrupted, outcome.number = interrupt.requested, interrupt.number
    return outcome


@contextmanager
def _recorded_end(outcome: Outcome, running: Mapping[str, Sequence[Path]]) -> Iterator[None]:
    """Record in the outcome why Tune ended before its trials, where that is known.

    Args:
      outcome: of the sweep.
      running: Tune's trial id -> folders of the trials that are running.

    Raises:
      MemoryRanOut: a machine did.
    """
    try:
        yield
    except KeyboardInterrupt:
        outcome.interrupted = outcome.interrupted or not outcome.ended_early
    except SessionLost as error:
        outcome.ended_early = f"{error}; the same command goes on."
    except RuntimeError as error:
        # Of all ways in which a worker may end, Tune does not expect this one.
        if cluster.is_out_of_memory(error.__cause__):
            raise MemoryRanOut(itertools.chain(*running.values())) from error
        outcome.ended_early = _full_disk(error)
    except OSError as error:
        outcome.ended_early = _full_disk(error)


@contextmanager
def _cleared(folder: Path, mirror: Mirror | None) -> Iterator[None]:
    """Remove what Tune's driver and workers leave in a sweep's folder, before and after."""
    _clear(folder, mirror)
    try:
        yield
    finally:
        _clear(folder, mirror)


@dataclass(frozen=True)
class _Places:
    """Folders of a sweep, and where Tune and its driver keep what is not a result."""

    folder: Path
    scratch: Path
    """On this machine, for this user alone."""
    mirror: Mirror | None

    def storage(self, pending: PendingTrials, *, is_local: bool) -> tuple[Any, str]:
        """Tune's own storage: pyarrow's file system (None: this machine's), and a path in it.

        Workers write to it only in a population, where states pass on.
        """
        if is_local or not pending.population:
            return None, str(self.scratch)
        if self.mirror is not None:
            return self.mirror.file_system(f"{self.folder.name}/{TUNE_FOLDER}")
        return None, str(self.folder / TUNE_FOLDER)

    def stop_file(self, *, is_local: bool) -> Path:
        """The file with which trials are asked to stop, where their workers see it."""
        near = is_local and self.mirror is None
        return (self.scratch if near else self.folder) / STOP_FOLDER / STOP_ALL


def _train(
    pending: PendingTrials,
    task: WorkerTask,
    options: FrameworkConfig,
    application: Application,
    context: RunContext,
    places: _Places,
    session: RaySession[None],
) -> None:
    """Run Tune in a Ray session."""
    context.progress.phase("starting workers")
    sweep = options.sweep
    gpus = cluster.gpus_per_trial(sweep)
    cluster.check_resources(sweep.cpus_per_trial, gpus)
    stop_file = places.stop_file(is_local=session.is_local)
    environment = application.environment
    task = replace(
        task,
        environment=locate(environment)(sweep.cpus_per_trial, gpus) if environment else {},
        provenance={"cpus": sweep.cpus_per_trial, "gpus": gpus},
        stop_file=str(stop_file),
        report_seconds=report_seconds(cluster.slots_now(sweep.cpus_per_trial, gpus)),
    )
    request = partial(_request_stop, mirror=places.mirror)
    context = replace(
        context,
        leaving=session.leaving,
        stop_all=partial(request, stop_file),
        stop_trial=lambda name: request(stop_file.with_name(name)),
        requests=PolledRequests(partial(read_requests, places.folder), POLL_SECONDS),
        waiting=WaitNotice(
            sweep.cpus_per_trial, gpus, context.progress.print_line, is_local=session.is_local
        ),
    )
    storage = places.storage(pending, is_local=session.is_local)
    _tune(pending, task, options, gpus=gpus, storage=storage, context=context, session=session)


def report_seconds(slots: int) -> float:
    """Seconds between two reports of a trial where so many train at a time.

    The driver answers one report after the other, and trials wait for its answer.
    """
    return max(1.0, slots / REPORTS_A_SECOND)


@contextmanager
def _scratch() -> Iterator[Path]:
    """Make a folder on this machine, for this user alone, as long as the context is entered.

    Raises:
      UserError: there is no place for it.
    """
    try:
        folder = tempfile.mkdtemp(prefix="sweep-")
    except OSError as error:
        raise UserError(
            f"there is no place for temporary files ({error.strerror}); free some space, or give "
            "another folder with TMPDIR=DIR."
        ) from error
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _full_disk(error: BaseException) -> str:
    """The sentence for an error that goes back to a full disk; another error is raised again."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            where = f" at {cause.filename}" if cause.filename else ""
            return (
                f"a disk is full{where} ({os.strerror(cause.errno)}); free some space, then the "
                "same command goes on."
            )
        cause = cause.__cause__ or cause.__context__
    raise error


def _tune(
    pending: PendingTrials,
    task: WorkerTask,
    options: FrameworkConfig,
    *,
    gpus: float,
    storage: tuple[Any, str],
    context: RunContext,
    session: RaySession[None],
) -> None:
    from ray import tune

    axes = pending.population.axes if pending.population else {}
    handle = build_scheduler(options.scheduler, options.sweep, axes)
    replay(handle, pending.history, options.scheduler, task.metric)
    resume_population(handle, pending.directories, options.scheduler)
    resources = {"cpu": options.sweep.cpus_per_trial, "gpu": gpus}
    slots = cluster.slots_now(options.sweep.cpus_per_trial, gpus)
    packs = _packs(pending, options.sweep.cpus_per_trial, gpus, slots)
    if summary := pack_summary(packs):
        context.progress.print_line(f"{summary[0].upper()}{summary[1:]}")
    tuner = tune.Tuner(
        tune.with_resources(make_trainable(task), resources),
        tune_config=tune.TuneConfig(
            reuse_actors=True,
            trial_name_creator=lambda trial: trial_folders(trial)[0].name,
            trial_dirname_creator=lambda trial: str(trial.trial_id),
            scheduler=pack_scheduler(handle, context.stop_trial) if packs else handle.scheduler,
            search_alg=(
                build_searcher(pending, options, context.progress.print_line)
                if pending.search
                else make_trial_list(_trial_configs(pending, packs))
            ),
            num_samples=pending.num_left if pending.search else 1,
        ),
        run_config=tune.RunConfig(
            name="tune",
            storage_filesystem=storage[0],
            storage_path=storage[1],
            verbose=0,
            failure_config=tune.FailureConfig(max_failures=options.sweep.retries),
            callbacks=[tune_callback(context, handle), *custom_callbacks(options.ray)],
        ),
    )
    controller = _controller(pending, options, slots if session.is_local else None)
    with settled_placement_groups(), controller:
        tuner.fit()


def _controller(
    pending: PendingTrials, options: FrameworkConfig, slots: int | None
) -> AbstractContextManager[None]:
    """The context in which Tune keeps as little of the trials as it may.

    Args:
      pending: the trials.
      options: of the sweep.
      slots: trials that can ever run at a time; None: not known.
    """
    is_custom = isinstance(options.scheduler, CustomSchedulerConfig) or bool(options.ray.callbacks)
    if is_custom or pending.population:
        # A population waits for all its trials, and continues from any; so may a part that is not
        # ours.
        return lean_controller(forgets_ended=False)
    return lean_controller(forgets_ended=True, max_waiting=None if pending.search else slots)


def _packs(pending: PendingTrials, cpus: int, gpus: float, slots: int) -> list[Pack]:
    """The packs of all trials; empty where each is trained alone."""
    if pending.packer is None:
        return []
    packs = pending.packer.packs(
        [read_config(path) for path in pending.directories],
        slots=slots,
        cpus=cpus,
        gpus=gpus,
        halvings=[pending.halvings.get(path.name, 0) for path in pending.directories],
    )
    return packs if any(pack.vectorized for pack in packs) else []


def _trial_configs(pending: PendingTrials, packs: Sequence[Pack]) -> list[dict[str, Any]]:
    """What the worker of each of Tune's trials gets: a folder, or the folders of a pack."""
    paths = [str(path) for path in pending.directories]
    if packs:
        return [
            {
                "directory": paths[pack.lanes[0]],
                "lanes": [paths[lane] for lane in pack.lanes] if pack.vectorized else [],
            }
            for pack in packs
        ]
    if pending.population is None:
        return [{"directory": path} for path in paths]
    values = {str(path): dict(numbers) for path, numbers in pending.population.values.items()}
    return [{"directory": path, "values": values[path]} for path in paths]


def _request_stop(stop_file: Path, mirror: Mirror | None) -> None:
    """Leave a file where the workers look for it."""
    stop_file.parent.mkdir(parents=True, exist_ok=True)
    stop_file.touch()
    if mirror:
        mirror.push("/".join(stop_file.parent.parts[-2:]))


def _fetch(mirror: Mirror | None, directory: Path) -> None:
    """Bring a trial's folder to this machine, without its checkpoints and its log.

    A worker on this machine may still write to the log, which it shares with others of its pack.
    """
    if mirror:
        below = "/".join(directory.parts[-2:])
        mirror.pull(below, lambda path: without_checkpoints(path) and is_no_log(path))


def _clear(folder: Path, mirror: Mirror | None) -> None:
    """Remove Tune's own state and requests to stop from a sweep's folder."""
    for name in (TUNE_FOLDER, STOP_FOLDER):
        shutil.rmtree(folder / name, ignore_errors=True)
        if mirror:
            mirror.remove(f"{folder.name}/{name}")
