"""Runs of means over a sweep's seeds, read back by TensorBoard's own readers."""

import math
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest

from sweeps.store.sweep import read_sweep
from sweeps.tensorboard.custom_scalars import write_charts
from sweeps.tensorboard.replicate_runs import mean_rows, write_replicate_runs

CHARTS = {"Loss": ["train/loss", "valid/loss"], "Other": ["other"]}
Look = Callable[[Path], Any]


def test_each_setting_has_a_run_of_the_mean_and_band_of_its_finished_seeds(
    grid: Path, look: Look
) -> None:
    assert write_replicate_runs(read_sweep(grid), CHARTS) == ["over_seed"]
    found = sorted(path.name for path in (grid / "over_seed").iterdir())
    assert found == [f"rate={rate},kind={kind}," for rate in ("0.01", "0.1") for kind in "ab"] + [
        "rate=0.5,kind=a,"
    ]
    shown = look(grid).scalars("over_seed/rate=0.1,kind=b,")
    of_step_10 = [10 * 0.1 + 1 / 10 + seed / 100 for seed in (0, 1)]
    below, mean, above = (
        shown[f"over_seed/valid/loss/{part}"][0][1] for part in ("lower", "mean", "upper")
    )
    assert mean == pytest.approx(fmean(of_step_10))
    assert (above - mean, mean - below) == pytest.approx([stdev(of_step_10)] * 2, rel=1e-4)
    assert [step for step, _ in shown["valid/loss"]] == [10, 20, 30]
    assert shown["valid/loss"] == shown["over_seed/valid/loss/mean"]


def test_runs_of_means_are_made_anew_and_are_no_trials(grid: Path) -> None:
    before = read_sweep(grid)
    for _ in range(2):
        write_replicate_runs(before, CHARTS)
        write_charts(before, CHARTS)
    assert read_sweep(grid) == before
    assert len(list(grid.glob("over_seed/*/events*"))) == 5
    assert not list(grid.glob("events*"))
    assert write_replicate_runs(before, {}) == ["over_seed"]
    assert not (grid / "over_seed").exists()


def test_mean_is_taken_where_every_replicate_has_got_to() -> None:
    one: list[dict[str, float]] = [
        {"step": 1, "wall_time": 5.0, "a": 1.0},
        {"step": 1, "wall_time": 5.5, "b": 7.0},
        {"step": 2, "wall_time": 6.0, "a": 2.0},
        {"step": 3, "wall_time": 7.0, "a": math.inf},
    ]
    other: list[dict[str, float]] = [
        {"step": 1, "wall_time": 9.0, "a": 3.0},
        {"step": 3, "wall_time": 9.0, "a": 1.0},
    ]
    (first, last) = mean_rows([one, other], ["a", "b"])
    assert first == ({"step": 1, "wall_time": 9.0, "a": 2.0}, {"a": stdev([1, 3])})
    assert last[0]["step"] == 3
    assert math.isnan(last[0]["a"])
