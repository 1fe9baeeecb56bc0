"""Importance of axes, against functions for which it is known."""

import math
import re
from pathlib import Path
from typing import Any

import optuna
import pytest

from sweeps.analysis.importance import axis_importance
from sweeps.analysis.ranking import ScoredTrial
from sweeps.store.status import TrialStatus
from sweeps.store.trial import Trial


def scored(value: float | None, status: str = "finished", **settings: Any) -> ScoredTrial:
    labels = {key: str(item) for key, item in settings.items()}
    return ScoredTrial(Trial(directory=Path("t"), status=TrialStatus(status)), value, 1, labels)


def grid(function: Any, first: Any, second: Any) -> list[ScoredTrial]:
    return [scored(function(a, b), a=a, b=b) for a in first for b in second]


def test_only_the_axis_that_matters_is_important() -> None:
    trials = grid(lambda a, b: a**2, range(5), "uvwxy")
    found = axis_importance(trials, ["b", "a"])
    assert list(found.shares) == ["a", "b"]
    assert found.shares["a"] > 0.99
    assert found.shares["b"] < 0.01
    assert (found.trials, found.reason) == (25, "")


def test_shares_are_those_of_the_variance() -> None:
    # a + 2 b over the same values: variances 1 : 4, nothing in interactions.
    trials = grid(lambda a, b: a + 2 * b, range(8), range(8))
    shares = axis_importance(trials, ["a", "b"]).shares
    assert shares["a"] == pytest.approx(0.2, abs=0.04)
    assert shares["b"] == pytest.approx(0.8, abs=0.04)


def test_interaction_belongs_to_neither_axis() -> None:
    trials = grid(lambda a, b: (-1.0) ** (a + b), range(2), range(2)) * 8
    shares = axis_importance(trials, ["a", "b"]).shares
    assert sum(shares.values()) < 0.2


def test_scale_of_an_axis_does_not_matter() -> None:
    plain = axis_importance(grid(lambda a, b: a + b, range(4), range(4)), ["a", "b"])
    values = {0: 1e-5, 1: 1e-3, 2: 0.1, 3: 7}
    logarithmic = [scored(a + b, a=values[a], b=b) for a in range(4) for b in range(4)]
    assert axis_importance(logarithmic, ["a", "b"]).shares == pytest.approx(plain.shares)


def test_same_trials_give_the_same_shares() -> None:
    trials = grid(lambda a, b: a * b + a, range(4), range(4))
    assert axis_importance(trials, ["a", "b"]) == axis_importance(trials, ["a", "b"])


def test_trials_without_a_finite_value_are_left_out() -> None:
    good = grid(lambda a, b: a, range(4), range(4))
    bad = [
        scored(None, a=0, b=0),
        scored(math.inf, a=0, b=1),
        scored(-1e9, "failed", a=0, b=2),
        scored(-1e9, "diverged", a=0, b=3),
    ]
    assert axis_importance([*good, *bad], ["a", "b"]) == axis_importance(good, ["a", "b"])


@pytest.mark.parametrize(
    ("trials", "reason"),
    [
        ([scored(1.0, a=1), scored(2.0, a=2), scored(3.0, a=3)], "it needs 4 .* there are 3"),
        ([scored(float(value), a=1) for value in range(5)], "no axis has two values"),
        ([scored(1.0, a=value) for value in range(5)], "the same value"),
        ([scored(float(value), a=value or "") for value in range(5)], "the same axes"),
    ],
)
def test_no_importance_comes_with_a_reason(trials: list[ScoredTrial], reason: str) -> None:
    found = axis_importance(trials, ["a"])
    assert not found.shares
    assert re.search(reason, found.reason)


def test_axis_with_one_value_is_left_out_and_named() -> None:
    trials = [scored(float(a), a=a, b="x") for a in range(6)]
    found = axis_importance(trials, ["a", "b"])
    assert set(found.shares) == {"a"}
    assert found.single == ("b",)


def test_optuna_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    before = optuna.logging.get_verbosity()
    axis_importance(grid(lambda a, b: a, range(4), range(2)), ["a", "b"])
    assert capfd.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() == before
