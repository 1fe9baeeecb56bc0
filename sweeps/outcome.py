"""How a sweep's trials ended, also those whose process could not say so itself."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from sweeps.errors import UserError
from sweeps.files import write_text
from sweeps.store import Trial, read_trial, set_status


@dataclass
class Outcome:
    """What the trials' own folders cannot tell."""

    interrupted: bool = False
    ended: set[str] = field(default_factory=set)
    """Names of trials whose function returned."""
    lost: dict[str, str] = field(default_factory=dict)
    """Names of trials that Ray gave up, and why: one line, then more."""


def settle(directory: Path, outcome: Outcome) -> Trial:
    """Read a trial after the sweep; a status that can no longer be true is put right."""
    trial = read_trial(directory)
    status, account = _final_status(trial, outcome)
    if status == trial.status:
        return trial
    error = account.partition("\n")[0]
    # A full disk must not hide the table.
    try:
        set_status(directory, status, error)
        if status == "failed":
            write_text(directory / "error.txt", account + "\n")
    except UserError:
        pass
    return replace(trial, status=status, error=error)


def _final_status(trial: Trial, outcome: Outcome) -> tuple[str, str]:
    name = trial.directory.name
    if trial.status not in ("running", "waiting", "stopped"):
        return trial.status, ""
    if name in outcome.lost:
        return "failed", outcome.lost[name]
    if name in outcome.ended:
        stopped = trial.status == "stopped"
        return ("stopped", "") if stopped else ("failed", "its worker ended without a result")
    return "interrupted", "the sweep was interrupted"
