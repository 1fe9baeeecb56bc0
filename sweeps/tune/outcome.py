"""Final statuses of a sweep's trials, also of those whose process could not write one."""

import signal
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sweeps.errors import UserError
from sweeps.io.atomic import write_text
from sweeps.store import Trial, TrialStatus, read_metrics
from sweeps.store.result import correct_result, result_of
from sweeps.store.status import STUCK_FILE, TIME_LIMIT, is_stuck, time_limit_reason
from sweeps.tensorboard.hparams import rewrite_hparams


class MemoryRanOut(Exception):  # noqa: N818 (the sweep goes on)
    """Ray killed a worker to save its machine, and Tune ended with it."""

    def __init__(self, running: Iterable[Path]) -> None:
        """Name the folders of the trials that were running."""
        super().__init__("a machine ran out of memory")
        self.running = tuple(running)


@dataclass(kw_only=True)
class Outcome:
    """The driver's record of how its trials ended, beside their folders."""

    interrupted: bool = False
    """Whether a signal ended the sweep."""
    number: signal.Signals = signal.SIGINT
    """The signal, if one did."""
    ended_early: str = ""
    """Why the sweep ended before its trials, though no signal came: a sentence, or empty."""
    ended: set[str] = field(default_factory=set)
    """Names of trials whose function returned."""
    stopped: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Name of a trial that a scheduler stopped -> the scheduler's kind, and the reason."""
    lost: dict[str, str] = field(default_factory=dict)
    """Name of a trial that Ray gave up -> the reason: one line, then Ray's account."""
    lost_in_packs: set[str] = field(default_factory=set)
    """Names of lost trials that shared a pack: any trial of it may be at fault."""
    time_limit: float = 0.0
    """Seconds that a trial may train."""
    mode: str = "min"
    metric: str = ""


def finalize_status(trial: Trial, outcome: Outcome) -> Trial:
    """Correct the status of a trial whose process is gone, in its folder too."""
    directory = trial.directory
    status, account, stopped_by = _final_status(trial, outcome)
    if (status, stopped_by) == (trial.status, trial.stopped_by):
        return trial
    rows = read_metrics(directory / "metrics.csv")
    reported = result_of(rows, outcome.metric, outcome.mode) if rows else {}
    is_timed_out = stopped_by == TIME_LIMIT
    changes: dict[str, Any] = {
        "status": status,
        "error": account.partition("\n")[0] or None,
        "stopped_by": stopped_by,
        "seconds": max(trial.seconds, outcome.time_limit) if is_timed_out else trial.seconds,
        **reported,
    }
    # A full disk must not hide the table.
    try:
        correct_result(directory, **changes)
        if status == TrialStatus.FAILED:
            write_text(directory / "error.txt", account + "\n")
        if status not in (TrialStatus.INTERRUPTED, TrialStatus.WAITING):
            rewrite_hparams(directory)
    except UserError:
        pass
    return replace(trial, **changes)


def _has_not_begun(trial: Trial) -> bool:
    """Whether a trial was given to a worker and made no update there."""
    # A worker that was killed left its last steps in the table alone.
    has_reported = trial.step > 0 or bool(read_metrics(trial.directory / "metrics.csv"))
    return trial.status == TrialStatus.RUNNING and not has_reported


def _final_status(trial: Trial, outcome: Outcome) -> tuple[TrialStatus, str, str | None]:
    """A trial's status, an account of its end, and what stopped it, if anything did."""
    name = trial.directory.name
    may_have_changed = (TrialStatus.RUNNING, TrialStatus.WAITING, TrialStatus.STOPPED)
    if trial.status not in may_have_changed or trial.stopped_by:
        return trial.status, "", trial.stopped_by
    if is_stuck(trial.directory):
        reason = time_limit_reason(outcome.time_limit)
        account = f"{reason}, in a step that did not end: see {STUCK_FILE}"
        return TrialStatus.STOPPED, account, TIME_LIMIT
    if name in outcome.stopped:
        scheduler, reason = outcome.stopped[name]
        return TrialStatus.STOPPED, reason, scheduler
    if name in outcome.lost:
        return TrialStatus.FAILED, outcome.lost[name], None
    if name in outcome.ended:
        return TrialStatus.FAILED, "its worker ended without a result", None
    if trial.status == TrialStatus.WAITING or _has_not_begun(trial):
        return TrialStatus.WAITING, "", None
    account = "the sweep ended early" if outcome.ended_early else "the sweep was interrupted"
    return TrialStatus.INTERRUPTED, account, None
