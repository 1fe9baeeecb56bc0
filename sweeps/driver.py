"""Runs a sweep from its plan to its table: done trials are kept, the others are trained."""

from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from sweeps.analysis import compare_trials
from sweeps.analysis.results import print_results, write_results
from sweeps.cli.exit import signal_status
from sweeps.errors import UserError
from sweeps.io.console import count_text, print_line
from sweeps.io.lease import hold_lease
from sweeps.io.lock import locked
from sweeps.io.mirror import Mirror, beside_trials, without_checkpoints
from sweeps.plan import PendingTrials, SweepPlan
from sweeps.plan.sweep_folder import SweepFolder
from sweeps.store import Trial, TrialStatus, move_aside, read_sweep, read_trial
from sweeps.store.log import LOG_FILE, MEGABYTE, log_kept
from sweeps.store.result import RESULT_FILE
from sweeps.store.sweep import SWEEP_FILE, lock_path
from sweeps.tensorboard.custom_scalars import charts_layout, write_charts
from sweeps.tensorboard.hparams import rewrite_hparams
from sweeps.tensorboard.replicate_runs import write_replicate_runs
from sweeps.tune.guard import SweepGuard
from sweeps.tune.outcome import MemoryRanOut, Outcome, finalize_status
from sweeps.tune.progress import Progress
from sweeps.tune.task import WorkerTask

ALONE = 32
"""Halvings that leave a pack with one trial."""
TIME_IS_UP = 124
"""Exit status where `sweep.hours` ended the sweep, the one of `timeout`."""


def run_sweep(plan: SweepPlan, command: str = "") -> int:
    """Train the trials of a sweep that are not done, and print the table of all.

    Args:
      plan: of the sweep.
      command: goes on with the sweep after an interruption; empty: a program called this one.

    Returns:
      Exit status: 0; 1 if a trial failed or is gone, or none has a value of the metric; 124 if the
      time of `sweep.hours` was up and trials are left; 128 and the number of a signal: 130 after
      Ctrl-C.

    Raises:
      UserError: bad input, or another command holds the folder; or, after the table was printed,
        the disk is full, the Ray session ended before the trials, as many trials failed as
        `sweep.fail_after` says, or no trial reports the metric.
    """
    sweep = plan.options.sweep
    guard = SweepGuard(metric=sweep.metric, fail_after=sweep.fail_after, hours=sweep.hours)
    folder, mirror = plan.folder, plan.mirror
    in_use = f"another command is running the sweep in {folder}; wait for it, or stop it."
    lock = locked(lock_path(folder), in_use)
    with lock, hold_lease(mirror, folder.name):
        if mirror:
            _pull(plan, mirror)
        if plan.options.sweep.fresh:
            _move_aside(plan)
        sweep_folder = plan.open_folder()
        sweep_folder.write()
        as_it_stands = replace(sweep_folder.sweep, trials=tuple(sweep_folder.trials))
        write_charts(as_it_stands, plan.application.charts)
        if mirror:
            mirror.push(folder.name, without_checkpoints)
        outcome, names = _train_all(plan, sweep_folder, guard)
        return _show_results(plan, outcome, names, guard, command)


def _pull(plan: SweepPlan, mirror: Mirror) -> None:
    """Bring the sweep's folder to this machine, and keep the logs that killed workers left here."""
    limit = round(plan.options.sweep.log_megabytes * MEGABYTE)
    with ExitStack() as logs:
        for path in plan.folder.glob(f"[!.]*/{LOG_FILE}"):
            if read_trial(path.parent).status == TrialStatus.RUNNING:
                logs.enter_context(log_kept(path.parent, limit))
        mirror.pull(plan.folder.name, without_checkpoints)


def _move_aside(plan: SweepPlan) -> None:
    if plan.mirror and (plan.folder / SWEEP_FILE).exists():
        raise UserError(
            f"sweep.fresh=true cannot move what is at {plan.mirror.url}; move it by the means of "
            "that store, or give this sweep another folder with sweep.name=NAME."
        )
    if aside := move_aside(plan.folder):
        print_line(plan.console, f"The earlier sweep is now {aside}.")
        for path in aside.glob(f"[!.]*/{RESULT_FILE}"):
            rewrite_hparams(path.parent)


def _train_all(
    plan: SweepPlan, sweep_folder: SweepFolder, guard: SweepGuard
) -> tuple[Outcome, set[str]]:
    """Train what is left, again after memory ran out or a pack lost its worker.

    Where memory runs out, the packs of the trials that were running are halved. A trial during
    which it runs out more than `sweep.retries` times is given up. Where a pack loses its worker,
    its trials are trained once more, each by itself: one of them may be at fault.

    Returns:
      The outcome, and the names of the trials that were to be run.
    """
    out_of_memory: Counter[str] = Counter()
    names: set[str] = set()
    alone: set[str] = set()
    retries = plan.options.sweep.retries
    while True:
        pending = plan.pending_trials(sweep_folder)
        names |= {path.name for path in pending.directories}
        pending = _remaining(pending, out_of_memory, alone, retries)
        try:
            if pending.num_left or not (out_of_memory or alone):
                layout = charts_layout(sweep_folder.sweep, plan.application.charts)
                outcome = _train(plan, pending, guard, layout)
            else:
                outcome = _empty_outcome(plan)
        except MemoryRanOut as error:
            out_of_memory.update(path.name for path in error.running)
            guard.failed(_given_up(out_of_memory, retries))
            guard.check_time()
            if guard.reason:
                outcome = _empty_outcome(plan)
                outcome.ended_early = guard.reason
                break
            message = "A machine ran out of memory; the sweep goes on."
        else:
            ended = outcome.interrupted or outcome.ended_early
            if alone or ended or not outcome.lost_in_packs:
                break
            alone = outcome.lost_in_packs
            lost = count_text(len(alone), "trial")
            message = f"{lost} lost their worker together; each is trained by itself."
        print_line(plan.console, message, style="yellow")
        sweep_folder = plan.open_folder()
    outcome.lost |= _given_up(out_of_memory, retries)
    return outcome, names | outcome.ended | set(outcome.lost)


def _remaining(
    pending: PendingTrials, out_of_memory: Counter[str], alone: set[str], retries: int
) -> PendingTrials:
    """The pending trials that are not given up, in packs as small as they have to be."""
    left = [
        path
        for path in pending.directories
        if out_of_memory[path.name] <= retries and (not alone or path.name in alone)
    ]
    halvings = {**out_of_memory, **dict.fromkeys(alone, ALONE)}
    return replace(pending, directories=left, halvings=halvings)


def _given_up(out_of_memory: Counter[str], retries: int) -> dict[str, str]:
    """Name -> reason, of trials during which memory ran out too often."""
    return {
        name: f"memory ran out {count} times while it ran; run fewer trials at a time with a "
        "larger sweep.cpus_per_trial, or make it smaller"
        for name, count in out_of_memory.items()
        if count > retries
    }


def _empty_outcome(plan: SweepPlan) -> Outcome:
    """The outcome where no trial was run."""
    return Outcome(metric=plan.options.sweep.metric, mode=plan.options.sweep.mode)


def _train(plan: SweepPlan, pending: PendingTrials, guard: SweepGuard, charts: bytes) -> Outcome:
    options, application, console = plan.options, plan.application, plan.console
    if not pending.num_left:
        done = pending.num_done
        words = "The trial was" if done == 1 else f"All {done} trials were"
        print_line(console, f"{words} done before.")
        return _empty_outcome(plan)
    before = f", {pending.num_done} of them done before" if pending.num_done else ""
    print_line(
        console,
        f"{count_text(pending.num_total, 'trial')}{before}, in {plan.folder}",
    )
    minutes = options.sweep.trial_minutes
    task = WorkerTask(
        objective=application.objective,
        metric=options.sweep.metric,
        mode=options.sweep.mode,
        identify=application.identify,
        working_directory=str(Path.cwd()),
        url=plan.mirror.url if plan.mirror else "",
        time_limit=None if minutes is None else 60 * minutes,
        scheduler_time=options.scheduler.time,
        pack=application.pack or "",
        scheduler=options.scheduler.kind,
        schedule_option=application.schedule_option or "",
        train_command=application.train_command,
        log_megabytes=options.sweep.log_megabytes,
        charts=charts,
        keep_checkpoints=options.sweep.keep_checkpoints,
    )
    from sweeps.tune.tuner import run_trials  # imports Ray

    return run_trials(
        pending,
        task,
        options,
        application=application,
        folder=plan.folder.absolute(),
        progress=Progress(
            pending.num_total,
            num_done=pending.num_done,
            tags=options.sweep.progress,
            console=console,
        ),
        guard=guard,
        mirror=plan.mirror,
    )


def _show_results(
    plan: SweepPlan,
    outcome: Outcome,
    names: Collection[str],
    guard: SweepGuard,
    command: str,
) -> int:
    """Rank and print all trials of the folder; returns the exit status for the named ones."""
    folder, mirror = plan.folder, plan.mirror
    if mirror:
        _pull(plan, mirror)
    sweep = read_sweep(folder)
    trials = tuple(finalize_status(trial, outcome) for trial in sweep.trials)
    comparison = compare_trials(replace(sweep, trials=trials))
    has_guard_ended = bool(guard.reason) and outcome.ended_early == guard.reason
    is_time_up = has_guard_ended and guard.is_time_up and _is_left(plan, trials)
    problem = "" if has_guard_ended else outcome.ended_early
    try:
        write_results(folder / "results.csv", comparison)
    except UserError as error:  # a full disk must not hide the table
        problem = problem or str(error)
    print_results(
        plan.console,
        comparison,
        reproduce_command=plan.application.reproduce_command,
        board_command=plan.application.board_command,
        interrupted=outcome.interrupted or is_time_up or _has_interrupted(trials, names),
        is_local=mirror is None,
        go_on=command or "the same call",
    )
    gone = sorted(set(names) - {one.directory.name for one in trials})
    if gone:
        lost = count_text(len(gone), "trial")
        message = f"{lost} of this run {'has' if len(gone) == 1 else 'have'} no folder any more: "
        message += ", ".join(gone)
        print_line(plan.console, message, style="red")
    if problem and not outcome.interrupted:
        raise UserError(problem)
    replicate_runs = write_replicate_runs(replace(sweep, trials=trials), plan.application.charts)
    if mirror:
        mirror.push(folder.name, beside_trials)
        for name in replicate_runs:
            mirror.push(f"{folder.name}/{name}")
        for final, before in zip(trials, sweep.trials, strict=True):
            if final != before:
                mirror.push(f"{folder.name}/{final.directory.name}", without_checkpoints)
    if outcome.interrupted:
        return signal_status(outcome.number)
    if has_guard_ended and not guard.is_time_up:
        raise UserError(guard.reason)
    if is_time_up:
        print_line(plan.console, f"{guard.reason[0].upper()}{guard.reason[1:]}", style="yellow")
        return TIME_IS_UP
    failed = [one for one in trials if one.status == TrialStatus.FAILED]
    wrong = bool(comparison.unranked or gone)
    return int(wrong or any(one.directory.name in names for one in failed))


def _is_left(plan: SweepPlan, trials: Collection[Trial]) -> bool:
    """Whether a sweep that ended early has a trial left to train."""
    left = (TrialStatus.INTERRUPTED, TrialStatus.RUNNING, TrialStatus.WAITING)
    is_more_to_come = plan.is_adaptive and len(trials) < (plan.options.search.trials or 0)
    return is_more_to_come or any(one.status in left for one in trials)


def _has_interrupted(trials: Sequence[Trial], names: Collection[str]) -> bool:
    """Whether one of these trials was asked to stop, while the sweep went on."""
    return any(
        one.status == TrialStatus.INTERRUPTED and one.directory.name in names for one in trials
    )
