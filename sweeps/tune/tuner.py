"""Trials in parallel through Ray Tune.

Tune gets trial folders, as a flat list or one by one from a searcher. A worker reads its
configuration from the folder and writes everything there; Tune itself starts, retries, stops and
compares trials, and passes progress on.
"""

import itertools
import shutil
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from sweeps.config.application import Application
from sweeps.config.hooks import locate
from sweeps.config.options import FrameworkConfig
from sweeps.io.atomic import make_directory
from sweeps.io.mirror import Mirror, without_checkpoints
from sweeps.plan.packs import Pack, pack_summary
from sweeps.plan.pending import PendingTrials
from sweeps.run import Interrupt
from sweeps.store.trial import read_config
from sweeps.tune import cluster
from sweeps.tune.callback import RunContext, trial_folders, tune_callback
from sweeps.tune.optuna_searcher import build_searcher
from sweeps.tune.outcome import MemoryRanOut, Outcome
from sweeps.tune.progress import Progress
from sweeps.tune.schedulers import build_scheduler, pack_scheduler, replay
from sweeps.tune.task import WorkerTask
from sweeps.tune.trainable import train

STOP = ".stop"
"""In a sweep's folder: all trials are to stop while `now` is in it, one while its name is."""


def run_trials(
    job: PendingTrials,
    work: WorkerTask,
    options: FrameworkConfig,
    *,
    application: Application,
    scratch: Path,
    progress: Progress,
    mirror: Mirror | None,
) -> Outcome:
    """Train every trial; returns when all have ended or Ctrl-C was pressed.

    Args:
      job: the trials.
      work: what they share; its `environment`, `facts` and `stop_file` are filled in here.
      options: resources and retries.
      application: whose `environment` the workers get.
      scratch: folder for Tune's own state, emptied first and deleted afterwards.
      progress: told about each start, report and end.
      mirror: of the URL that keeps the results; None: trial folders are the same everywhere.

    Raises:
      UserError: the cluster cannot be reached, or cannot ever hold one trial.
      MemoryRanOut: a machine did; the trials that have ended are settled.
    """
    running: dict[str, list[Path]] = {}
    _clear(scratch, mirror)
    make_directory(scratch)
    outcome = Outcome(metric=work.metric, mode=work.mode, trial_seconds=work.trial_seconds or 0.0)
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
            work = _with_share(work, sweep.cpus_per_trial, gpus, application.environment)
            stop_file = scratch.with_name(STOP) / "now"
            work = replace(work, stop_file=str(stop_file))
            with progress, Interrupt() as interrupt:
                actions = _actions(stop_file, mirror)
                kind = options.scheduler.kind
                desk = RunContext(progress, outcome, kind, interrupt, **actions, running=running)
                storage = str(scratch) if mirror is None else f"{mirror.url}/{name}/.ray"
                _tune(job, work, options, gpus, storage, desk)
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


def _with_share(work: WorkerTask, cpus: int, gpus: float, environment: str | None) -> WorkerTask:
    """Tell the workers their share of the machine."""
    variables = locate(environment)(cpus, gpus) if environment else {}
    return replace(work, environment=variables, facts={"cpus": cpus, "gpus": gpus})


def _tune(
    job: PendingTrials,
    work: WorkerTask,
    options: FrameworkConfig,
    gpus: float,
    storage: str,
    desk: RunContext,
) -> None:
    from ray import tune

    rule = build_scheduler(options.scheduler, options.sweep, job.axes)
    replay(rule, job.earlier, options.scheduler, work.metric)
    resources = {"cpu": options.sweep.cpus_per_trial, "gpu": gpus}
    packs = _packs(job, options.sweep.cpus_per_trial, gpus)
    if told := pack_summary(packs):
        desk.progress.say(f"{told[0].upper()}{told[1:]}")
    tuner = tune.Tuner(
        tune.with_resources(train, resources),
        param_space={"work": asdict(work), **_space(job, packs)},
        tune_config=tune.TuneConfig(
            reuse_actors=True,
            trial_name_creator=lambda trial: trial_folders(trial)[0].name,
            trial_dirname_creator=lambda trial: str(trial.trial_id),
            scheduler=pack_scheduler(rule, desk.stop) if packs else rule.scheduler,
            search_alg=build_searcher(job, options) if job.place else None,
            num_samples=job.left if job.place else 1,
        ),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=storage,
            verbose=0,
            failure_config=tune.FailureConfig(max_failures=options.sweep.retries),
            callbacks=[tune_callback(desk, rule)],
        ),
    )
    tuner.fit()
    desk.outcome.interrupted = desk.interrupt.requested


def _packs(job: PendingTrials, cpus: int, gpus: float) -> list[Pack]:
    """Who trains together; nothing where each is trained alone."""
    if job.packer is None:
        return []
    configs = [read_config(path) for path in job.directories]
    halvings = [job.halvings.get(path.name, 0) for path in job.directories]
    packs = job.packer.packs(configs, cluster.slots_now(cpus, gpus), cpus, gpus, halvings)
    return packs if any(pack.together for pack in packs) else []


def _space(job: PendingTrials, packs: Sequence[Pack]) -> dict[str, Any]:
    """What Tune hands to each of its trials: a folder, or several that train together."""
    from ray import tune

    if job.place is not None:
        return {}
    paths = [str(path) for path in job.directories]
    if packs:
        lanes = {
            paths[pack.members[0]]: [paths[at] for at in pack.members] if pack.together else []
            for pack in packs
        }
        of_first = tune.sample_from(
            lambda spec: lanes[spec.config.directory]  # type: ignore[attr-defined]
        )
        return {"directory": tune.grid_search(list(lanes)), "lanes": of_first}
    space: dict[str, Any] = {"directory": tune.grid_search(paths)}
    if job.values:
        values = {str(path): job.values[path] for path in job.directories}
        space["values"] = tune.sample_from(
            lambda spec: values[spec.config.directory]  # type: ignore[attr-defined]
        )
    return space


def _actions(stop_file: Path, mirror: Mirror | None) -> dict[str, Callable[..., None]]:
    """What the desk can do: stop all trials, stop one of them, bring a folder here."""
    return {
        "ask_to_stop": partial(_ask_to_stop, stop_file, mirror),
        "stop": lambda name: _ask_to_stop(stop_file.with_name(name), mirror),
        "fetch": partial(_fetch, mirror),
    }


def _ask_to_stop(stop_file: Path, mirror: Mirror | None) -> None:
    """Leave a file where the workers look for it."""
    stop_file.parent.mkdir(parents=True, exist_ok=True)
    stop_file.touch()
    if mirror:
        mirror.push("/".join(stop_file.parent.parts[-2:]))


def _fetch(mirror: Mirror | None, directory: Path) -> None:
    """Bring a trial's folder to this machine, but for its checkpoints."""
    if mirror:
        mirror.pull("/".join(directory.parts[-2:]), without_checkpoints)


def _clear(scratch: Path, mirror: Mirror | None) -> None:
    """Forget Tune's own state, and a wish to stop."""
    for folder in (scratch, scratch.with_name(STOP)):
        shutil.rmtree(folder, ignore_errors=True)
        if mirror:
            mirror.remove("/".join(folder.parts[-2:]))
