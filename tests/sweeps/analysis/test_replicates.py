"""Replicates of a setting, and the order in which trials and settings rank."""

import math
from pathlib import Path
from statistics import stdev
from typing import Any

import pytest

from sweeps.analysis.ranking import ScoredTrial, best_row, rank
from sweeps.analysis.replicates import group_replicates
from sweeps.labels import are_numbers, sort_labels
from sweeps.store.trial import Trial


def scored(best: float | None, status: str = "finished", **settings: Any) -> ScoredTrial:
    labels = {key: str(item) for key, item in settings.items()}
    return ScoredTrial(Trial(Path("t"), "", status), best, 1, labels)


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


def test_numbers_stand_by_size_and_names_as_they_came() -> None:
    assert sort_labels(["10", "9", "1e-05", "inf", "9"]) == ["1e-05", "9", "10", "inf"]
    assert sort_labels(["gru", "2", "a", "1"]) == ["1", "2", "gru", "a"]
    assert are_numbers(["1", "", "inf"])
    assert not are_numbers(["1", "null"])
    assert not are_numbers(["1_0"])
    assert not are_numbers([])
