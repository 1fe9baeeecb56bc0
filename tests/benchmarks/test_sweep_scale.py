"""The benchmark of sweeps of many trials runs and plans one."""

import csv
from pathlib import Path

import pytest

from benchmarks.sweep_scale import EMPTY, Cost, measure, median


@pytest.mark.slow
def test_sweep_of_trials_that_do_nothing_is_timed(tmp_path: Path) -> None:
    cost = measure(EMPTY, "--multirun", "seed=range(0,2)", f"output_dir={tmp_path}")
    assert cost.seconds > 0
    assert cost.cpu_seconds > 0
    assert cost.megabytes > 10
    with (tmp_path / "empty" / "results.csv").open(newline="") as file:
        assert [row["status"] for row in csv.DictReader(file)] == ["finished"] * 2


def test_parts_have_medians_of_their_own() -> None:
    assert median([Cost(1, 5, 9), Cost(2, 4, 7), Cost(3, 1, 8)]) == Cost(2, 4, 8)
