"""The verdict on a reproduction, in words. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from sweeps.reproduce.environment_diff import UNKNOWN, environment_changes
from sweeps.reproduce.metric_diff import MetricDiff
from sweeps.store import Trial, TrialStatus

TOLERANCE = 1e-4
"""Relative tolerance where bits may differ.

Between one thread and two, over 8 epochs of LSTMs and GRUs by several optimizers and losses, the
largest relative difference of any value was 5e-6. Unstable training (a plain RNN, a learning rate
that is too large) enlarges rounding without bound, and counts as different.
"""


def reasons_for_tolerance(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return the reasons for which the second run may differ from the first in rounding.

    Args:
      recorded: facts of the first run.
      now: facts of the second run.
    """
    reasons = []
    old, new = recorded.get("cpus"), now.get("cpus")
    if old is None:
        reasons.append("its number of threads is not recorded")
    elif old != new:
        reasons.append(f"it ran on {_threads(old)} and now on {_threads(new)}")
    for fact in ("device", "processor"):
        one, other = recorded.get(fact), now.get(fact)
        if one and other and one != other:
            reasons.append(f"it ran on {one} and now on {other}")
    if old is not None and old == new:
        lines = environment_changes(recorded.get("environment"), now.get("environment"))
        reasons += [f"its environment was another ({line})" for line in lines]
    return reasons


def reach_verdict(
    diff: MetricDiff, trial: Trial, again: Trial, tolerance: float, reasons: Sequence[str]
) -> tuple[bool, list[str]]:
    """Return whether a trial was reproduced, and the lines to print about it.

    Args:
      diff: comparison of the two runs' metrics.
      trial: the first run.
      again: the second run.
      tolerance: relative; 0: the values must be identical.
      reasons: reasons for a tolerance.
    """
    counted = f"{diff.steps} steps, {diff.values} values"
    if not trial.done:
        counted += f", up to step {trial.step}, where it is {trial.status}"
    lines = []
    if diff.differences and tolerance:
        why = " and ".join(reasons) or "--tolerance asks for it"
        lines.append(f"compared within {tolerance:g}, because {why}")
    first, largest = diff.first_beyond(tolerance), diff.largest
    if ending := different_end(trial, again):
        lines.append(f"different: {ending}")
    if first is not None:
        lines += [f"different: first at {first}", f"largest difference: {largest}"]
    elif not ending:
        alike = f"within {tolerance:g}" if diff.differences else "identical"
        lines.append(f"{alike}: {counted}")
        lines += [f"largest difference: {largest}"] if largest else []
    return first is None and not ending, lines


def different_end(trial: Trial, again: Trial) -> str:
    """Return how the ends of the two runs differ; empty if they agree, or the first had no end."""
    if again.status == TrialStatus.FAILED and trial.status != TrialStatus.FAILED:
        return f"it failed now ({again.error}); see {again.directory / 'error.txt'}"
    if again.status in (TrialStatus.WAITING, TrialStatus.RUNNING, TrialStatus.INTERRUPTED):
        return f"it did not come to its end now, but is {again.status}"
    if not trial.done:
        return ""
    if (trial.status, trial.step) == (again.status, again.step):
        return ""
    return f"it {trial.status} at step {trial.step}, and now {again.status} at step {again.step}"


def _threads(count: int | None) -> str:
    if count is None:
        return f"threads whose number is {UNKNOWN}"
    return "1 thread" if count == 1 else f"{count} threads"
