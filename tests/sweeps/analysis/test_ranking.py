"""The order of trials, and the best value of a metrics table."""

import math
from pathlib import Path

import pytest

from sweeps.analysis.ranking import ScoredTrial, best_row, rank
from sweeps.store.status import TrialStatus
from sweeps.store.trial import Trial


def scored(best: float | None, status: str = "finished") -> ScoredTrial:
    return ScoredTrial(Trial(directory=Path("t"), status=TrialStatus(status)), best, 1)


@pytest.mark.parametrize("mode", ["min", "max"])
def test_status_ranks_before_the_metric(mode: str) -> None:
    trials = [
        scored(0.1, "failed"),
        scored(0.5, "diverged"),
        scored(0.4, "stopped"),
        scored(None),
        scored(math.inf if mode == "min" else -math.inf),
        scored(3.0),
    ]
    ranked = rank(trials, mode)
    assert ranked == [trials[place] for place in (5, 4, 3, 2, 1, 0)]


def test_trial_that_lost_patience_ranks_with_those_that_finished() -> None:
    ended_itself = ScoredTrial(
        Trial(directory=Path("t"), status=TrialStatus.STOPPED, stopped_by="patience"), 2.0, 1
    )
    trials = [scored(1.0), ended_itself, scored(3.0), scored(0.5, "stopped")]
    assert rank(reversed(trials), "min") == trials
    assert ended_itself.trial.done
    assert ended_itself.trial.is_over("none", None)


def test_best_row_is_the_first_best_one_and_never_nan() -> None:
    rows = [
        {"step": 1, "a": math.nan},
        {"step": 2, "b": 0.0},
        {"step": 3, "a": 2.0},
        {"step": 4, "a": 2.0},
        {"step": 5, "a": 3.0},
    ]
    assert best_row(rows, "a", "min") == (2.0, 3)
    assert best_row(rows, "a", "max") == (3.0, 5)
    assert best_row(rows, "c", "max") == (None, None)
