"""How a sweep's trials ended, also those whose process could not say so itself."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sweeps.errors import UserError
from sweeps.io.atomic import write_text
from sweeps.store.metrics import read_metrics
from sweeps.store.result import result_of
from sweeps.store.status import STUCK_FILE, is_stuck, time_limit_reason
from sweeps.store.trial import Trial, correct_result
from sweeps.tensorboard.hparams import rewrite_hparams


class MemoryRanOut(Exception):  # noqa: N818 (the sweep goes on)
    """Ray ended a worker to save its machine, and Tune with it; these trials were running."""

    def __init__(self, running: Iterable[Path]) -> None:
        super().__init__("a machine ran out of memory")
        self.running = tuple(running)


@dataclass
class Outcome:
    """What the trials' own folders cannot tell."""

    interrupted: bool = False
    ended: set[str] = field(default_factory=set)
    """Names of trials whose function returned."""
    stopped: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Names of trials that a scheduler stopped: its kind, and why."""
    lost: dict[str, str] = field(default_factory=dict)
    """Names of trials that Ray gave up, and why: one line, then more."""
    shared: set[str] = field(default_factory=set)
    """Names of those lost that trained together with others: one of these may be at fault."""
    trial_seconds: float = 0.0
    """The limit, for trials that ran into it."""
    mode: str = "min"
    metric: str = ""


def finalize_status(trial: Trial, outcome: Outcome) -> Trial:
    """Put a status right that can no longer be true."""
    directory = trial.directory
    status, account, rule = _final_status(trial, outcome)
    if (status, rule) == (trial.status, trial.stopped_by):
        return trial
    error = account.partition("\n")[0]
    rows = read_metrics(directory / "metrics.csv")
    reported = result_of(rows, outcome.metric, outcome.mode) if rows else {}
    seconds = max(trial.seconds, outcome.trial_seconds) if rule == "time" else trial.seconds
    facts: dict[str, Any] = {
        "status": status,
        "error": error,
        "stopped_by": rule,
        "seconds": seconds,
        **reported,
    }
    # A full disk must not hide the table.
    try:
        correct_result(directory, **facts)
        if status == "failed":
            write_text(directory / "error.txt", account + "\n")
        if status != "interrupted":
            rewrite_hparams(directory)
    except UserError:
        pass
    return replace(trial, **facts)


def _final_status(trial: Trial, outcome: Outcome) -> tuple[str, str, str | None]:
    """Status, account of it, and the rule that stopped the trial, if one did."""
    name = trial.directory.name
    if trial.status not in ("running", "waiting", "stopped") or trial.stopped_by:
        return trial.status, "", trial.stopped_by
    if is_stuck(trial.directory):
        reason = time_limit_reason(outcome.trial_seconds)
        return "stopped", f"{reason}, in a step that did not end: see {STUCK_FILE}", "time"
    if name in outcome.stopped:
        rule, why = outcome.stopped[name]
        return "stopped", why, rule
    if name in outcome.lost:
        return "failed", outcome.lost[name], None
    if name in outcome.ended:
        return "failed", "its worker ended without a result", None
    return "interrupted", "the sweep was interrupted", None
