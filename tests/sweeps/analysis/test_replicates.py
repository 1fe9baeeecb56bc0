"""Means over the replicates of a setting, and over the trials of each value of an axis."""

import math
from pathlib import Path
from statistics import stdev
from typing import Any

import pytest

from sweeps.analysis.ranking import ScoredTrial
from sweeps.analysis.replicates import group_replicates, marginal_means
from sweeps.store.status import TrialStatus
from sweeps.store.trial import Trial


def scored(best: float | None, status: str = "finished", **settings: Any) -> ScoredTrial:
    labels = {key: str(item) for key, item in settings.items()}
    return ScoredTrial(Trial(directory=Path("t"), status=TrialStatus(status)), best, 1, labels)


def test_group_has_mean_and_sample_deviation_of_its_seeds() -> None:
    trials = [scored(value, a="x", seed=seed) for seed, value in enumerate((1.0, 2.0, 6.0))]
    (group,) = group_replicates(trials, "seed", "min")
    assert group.settings == {"a": "x"}
    assert (group.mean, group.n, group.trials) == (3.0, 3, 3)
    assert group.deviation == pytest.approx(stdev([1, 2, 6]))


def test_single_seed_has_no_deviation() -> None:
    assert group_replicates([scored(1.0, a="x", seed=0)], "seed", "min")[0].deviation is None


@pytest.mark.parametrize(("mode", "order"), [("min", "xyzw"), ("max", "yxzw")])
def test_groups_with_lost_seeds_rank_below_whole_ones(mode: str, order: str) -> None:
    trials = [
        scored(None, "failed", a="w", seed=0),
        scored(0.1, a="z", seed=0),
        scored(math.inf, a="z", seed=1),
        scored(1.0, a="x", seed=0),
        scored(2.0, a="y", seed=0),
    ]
    found = group_replicates(trials, "seed", mode)
    assert "".join(group.settings["a"] for group in found) == order
    assert [(group.n, group.trials) for group in found] == [(1, 1), (1, 1), (1, 2), (0, 1)]


def test_only_finished_trials_make_the_mean() -> None:
    trials = [scored(1.0, a="x", seed=0), scored(9.0, "stopped", a="x", seed=1)]
    assert group_replicates(trials, "seed", "min")[0].mean == 1.0


def test_marginal_means_are_over_all_other_axes() -> None:
    trials = [scored(10.0 * a + b, a=a, b=b) for a in (10, 2) for b in (1, 3)]
    trials.append(scored(0.0, "failed", a=2, b=1))
    found = marginal_means(trials, ["a", "b"])
    assert [(one.label, one.mean, one.n) for one in found["a"]] == [("2", 22, 2), ("10", 102, 2)]
    assert found["a"][0].deviation == pytest.approx(math.sqrt(2))
    assert [(one.label, one.mean) for one in found["b"]] == [("1", 61), ("3", 63)]


def test_value_without_a_counted_trial_is_there_without_a_mean() -> None:
    found = marginal_means([scored(1.0, a=1), scored(None, "failed", a=2)], ["a"])["a"]
    assert [(one.mean, one.deviation, one.n) for one in found] == [(1, None, 1), (None, None, 0)]
