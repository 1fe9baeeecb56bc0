"""A sweep from its settings to its table: what is done is kept, what is left is run."""

from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from sweeps.analysis.comparison import compare_trials
from sweeps.analysis.results import print_results, write_results
from sweeps.cli.exit import INTERRUPTED
from sweeps.errors import UserError
from sweeps.io.lock import locked
from sweeps.io.mirror import beside_trials, without_checkpoints
from sweeps.plan.pending import PendingTrials, SweepPlan
from sweeps.plan.sweep_folder import SweepFolder
from sweeps.store.sweep import read_sweep
from sweeps.store.trial import move_aside
from sweeps.tensorboard.custom_scalars import write_charts
from sweeps.tensorboard.hparams import rewrite_hparams
from sweeps.tensorboard.replicate_runs import write_replicate_runs
from sweeps.tune.outcome import MemoryRanOut, Outcome, finalize_status
from sweeps.tune.progress import Progress
from sweeps.tune.task import WorkerTask

ALONE = 32
"""Halvings that leave a pack with one trial."""


def run(agenda: SweepPlan) -> int:
    """Run what is not done yet, and show the table.

    Returns:
      Exit status: 0, 1 if a trial failed, 130 after Ctrl-C.

    Raises:
      UserError: bad input, or another command has the folder.
    """
    _ = agenda.mutable, agenda.packer, agenda.planned  # bad input shows before anything is touched
    folder, mirror = agenda.folder, agenda.mirror
    held = f"another command is running the sweep in {folder}; wait for it, or stop it."
    with locked(folder.parent / f".{folder.name}.lock", held):
        if mirror:
            mirror.pull(folder.name, without_checkpoints)
        if agenda.options.sweep.fresh:
            _move_aside(agenda)
        shelf = agenda.shelf()
        shelf.write()
        write_charts(shelf.sweep, agenda.application.charts)
        if mirror:
            mirror.push(folder.name, without_checkpoints)
        return _show(agenda, *_train_all(agenda, shelf))


def _move_aside(agenda: SweepPlan) -> None:
    if agenda.mirror and (agenda.folder / "sweep.json").exists():
        raise UserError(
            f"sweep.fresh=true cannot move what is at {agenda.mirror.url}; move it by the means of "
            "that store, or give this sweep another folder with sweep.name=NAME."
        )
    if aside := move_aside(agenda.folder):
        agenda.console.print(f"The earlier sweep is now {aside}.", highlight=False)
        for path in aside.glob("[!.]*/result.json"):
            rewrite_hparams(path.parent)


def _train_all(agenda: SweepPlan, shelf: SweepFolder) -> tuple[Outcome, set[str]]:
    """Train what is left; where memory runs out, what is left then.

    A trial during which that happened more than `sweep.retries` times is given up; a pack is half
    as wide the next time. Trials that lost their worker together are trained once more, each by
    itself: one of them may be at fault.

    Returns:
      The outcome, and the names of the trials that were to be run.
    """
    times: Counter[str] = Counter()
    names: set[str] = set()
    apart: set[str] = set()
    while True:
        job = agenda.job(shelf)
        names |= {path.name for path in job.directories}
        rest = _rest(job, times, apart, agenda.options.sweep.retries)
        try:
            again = times or apart
            outcome = _nothing(agenda) if again and not rest.left else _train(agenda, rest)
        except MemoryRanOut as error:
            times.update(path.name for path in error.running)
            said = "A machine ran out of memory; the sweep goes on."
        else:
            if apart or outcome.interrupted or not outcome.shared:
                break
            apart = outcome.shared
            said = f"{len(apart)} trials lost their worker together; each is trained by itself."
        agenda.console.print(said, style="yellow")
        shelf = agenda.shelf()
    outcome.lost |= _given_up(times, agenda.options.sweep.retries)
    return outcome, names | outcome.ended | set(outcome.lost)


def _rest(job: PendingTrials, times: Counter[str], apart: set[str], retries: int) -> PendingTrials:
    """What is left of a job, in packs as narrow as they have to be."""
    left = [
        path
        for path in job.directories
        if times[path.name] <= retries and (not apart or path.name in apart)
    ]
    return replace(job, directories=left, halvings={**times, **dict.fromkeys(apart, ALONE)})


def _given_up(times: Counter[str], retries: int) -> dict[str, str]:
    """Name -> why, of trials during which memory ran out too often."""
    return {
        name: f"memory ran out {count} times while it ran; run fewer trials at a time with a "
        "larger sweep.cpus_per_trial, or make it smaller"
        for name, count in times.items()
        if count > retries
    }


def _nothing(agenda: SweepPlan) -> Outcome:
    """What becomes of no trials."""
    return Outcome(metric=agenda.options.sweep.metric, mode=agenda.options.sweep.mode)


def _train(agenda: SweepPlan, job: PendingTrials) -> Outcome:
    options, application, console = agenda.options, agenda.application, agenda.console
    if not job.left:
        console.print(f"All {job.kept} trials were done before.", highlight=False)
        return _nothing(agenda)
    before = f", {job.kept} of them done before" if job.kept else ""
    console.print(f"{job.total} trials{before}, in {agenda.folder}", highlight=False)
    limit = options.sweep.trial_minutes
    work = WorkerTask(
        objective=application.objective,
        metric=options.sweep.metric,
        mode=options.sweep.mode,
        identify=application.identify,
        folder=str(Path.cwd()),
        url=agenda.mirror.url if agenda.mirror else "",
        trial_seconds=None if limit is None else 60 * limit,
        time=options.scheduler.time,
        pack=application.pack or "",
        rule=options.scheduler.kind,
        schedule_option=application.schedule_option or "",
        train_command=application.train_command,
    )
    from sweeps.tune.tuner import run_trials  # imports Ray

    return run_trials(
        job,
        work,
        options,
        application=application,
        scratch=(agenda.folder / ".ray").absolute(),
        progress=Progress(job.total, kept=job.kept, tags=options.sweep.progress, console=console),
        mirror=agenda.mirror,
    )


def _show(agenda: SweepPlan, outcome: Outcome, run: Collection[str]) -> int:
    """Settle, rank and show all trials of the folder; the status speaks of those just run."""
    folder, mirror = agenda.folder, agenda.mirror
    if mirror:
        mirror.pull(folder.name, without_checkpoints)
    sweep = read_sweep(folder)
    trials = tuple(finalize_status(trial, outcome) for trial in sweep.trials)
    comparison = compare_trials(replace(sweep, trials=trials))
    write_results(folder / "results.csv", comparison)
    print_results(
        agenda.console,
        comparison,
        reproduce_command=agenda.application.reproduce_command,
        board_command=agenda.application.board_command,
    )
    aggregates = write_replicate_runs(replace(sweep, trials=trials), agenda.application.charts)
    if mirror:
        mirror.push(folder.name, beside_trials)
        for name in aggregates:
            mirror.push(f"{folder.name}/{name}")
        for now, before in zip(trials, sweep.trials, strict=True):
            if now != before:
                mirror.push(f"{folder.name}/{now.directory.name}", without_checkpoints)
    if outcome.interrupted:
        return INTERRUPTED
    return int(any(t.status == "failed" for t in trials if t.directory.name in run))
