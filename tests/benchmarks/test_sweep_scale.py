"""The benchmark of sweeps of many trials runs one."""

import csv
from pathlib import Path

import pytest

from benchmarks.sweep_scale import measure


@pytest.mark.slow
def test_sweep_of_trials_that_do_nothing_is_timed(tmp_path: Path) -> None:
    seconds, megabytes = measure(2, tmp_path)
    assert seconds > 0
    assert megabytes > 10
    with (tmp_path / "empty" / "results.csv").open(newline="") as file:
        assert [row["status"] for row in csv.DictReader(file)] == ["finished"] * 2
