"""Least significant difference of two trials, beside textbook formulas."""

import numpy as np
import pytest
from scipy import stats

from sweeps.analysis.ranking import ScoredTrial
from sweeps.analysis.significance import least_significant_difference
from sweeps.store import Trial, TrialStatus
from tests.sweeps.conftest import ROOT

AXES = ("rate", "kind", "seed")


def scored(
    best: float | None, status: TrialStatus = TrialStatus.FINISHED, **of: str
) -> ScoredTrial:
    trial = Trial(directory=ROOT, status=status)
    return ScoredTrial(trial, best, settings={axis: of.get(axis, "0") for axis in AXES})


def test_replicates_give_the_pooled_deviation() -> None:
    groups = {"a": [1.0, 1.2, 1.4], "b": [3.0, 3.1], "c": [5.0]}
    trials = [
        scored(value, kind=kind, seed=str(seed))
        for kind, values in groups.items()
        for seed, value in enumerate(values)
    ]
    found = least_significant_difference(trials, AXES, "seed")
    pooled = (2 * np.var([1.0, 1.2, 1.4], ddof=1) + np.var([3.0, 3.1], ddof=1)) / 3
    assert found.difference == pytest.approx(stats.t.ppf(0.975, 3) * np.sqrt(2 * pooled))
    assert (found.source, found.trials) == ("replicates", 6)


def test_without_replicates_it_is_what_a_sum_of_effects_leaves() -> None:
    """Two-way layout: the residual sum of squares over (rows - 1)(columns - 1)."""
    values = np.random.default_rng(0).normal(size=(4, 3)) + np.arange(3) + np.arange(4)[:, None]
    trials = [
        scored(float(values[i, j]), rate=str(i), kind="abc"[j]) for i in range(4) for j in range(3)
    ]
    rows, columns = values.mean(1, keepdims=True), values.mean(0, keepdims=True)
    residual = values - rows - columns + values.mean()
    expected = stats.t.ppf(0.975, 6) * np.sqrt(2 * np.sum(residual**2) / 6)
    for replicate in (None, "seed"):
        found = least_significant_difference(trials, AXES, replicate)
        assert found.difference == pytest.approx(expected)
        assert (found.source, found.trials) == ("options", 12)


def test_nothing_is_said_of_few_trials_and_of_those_that_do_not_count() -> None:
    few = [scored(1.0, rate="1"), scored(2.0, rate="2"), scored(2.5, rate="3")]
    others = [scored(None, rate="4"), scored(9.0, TrialStatus.DIVERGED, rate="5")]
    found = least_significant_difference([*few, *others], AXES, None)
    assert (found.difference, found.trials) == (None, 3)
    assert least_significant_difference([], AXES, "seed").difference is None


def test_trials_of_another_sweep_are_no_replicates() -> None:
    trials = [
        ScoredTrial(Trial(directory=ROOT, status=TrialStatus.FINISHED), value, sweep=sweep)
        for sweep, value in (("x", 1.0), ("y", 2.0), ("z", 3.0), ("w", 4.0))
    ]
    assert least_significant_difference(trials, (), "seed").source != "replicates"
