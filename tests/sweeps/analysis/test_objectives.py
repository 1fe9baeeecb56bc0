"""Several objectives: their values, the Pareto front, and where it is marked."""

import csv
import itertools
import json
import math
import random
import re
from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sweeps.analysis.comparison import compare_sweeps, compare_trials
from sweeps.analysis.importance import axis_importance
from sweeps.analysis.objectives import objective_values, pareto_front
from sweeps.analysis.results import print_results, write_results
from sweeps.config import Objective
from sweeps.report import write_report
from sweeps.store import read_sweep, read_trial
from sweeps.store.sweep import write_sweep
from sweeps.tracking import Run

LOW = Objective(tag="loss", mode="min")
HIGH = Objective(tag="acc", mode="max")


def by_definition(points: Sequence[Sequence[float]]) -> list[bool]:
    losses = [(low, -high) for low, high in points]
    return [
        not any(
            all(x <= y for x, y in zip(other, one, strict=True)) and other != one
            for other in losses
        )
        for one in losses
    ]


@pytest.mark.parametrize("seed", range(5))
def test_front_is_what_no_point_dominates(seed: int) -> None:
    draw = random.Random(seed)
    points = [(draw.randrange(12), draw.randrange(12)) for _ in range(60)]
    assert pareto_front(points, [LOW, HIGH]) == by_definition(points)


def test_equal_points_are_all_on_the_front_and_gaps_are_not() -> None:
    points = [(1.0, 2.0), None, (1.0, 2.0), (0.5, None), (math.nan, 9.0), (-math.inf, 9.0)]
    assert pareto_front(points, [LOW, HIGH]) == [True, False, True, False, False, False]
    assert pareto_front([], [LOW]) == []


@pytest.mark.parametrize(
    ("at", "expected"), [(10, 1.0), (20, 1.0), (30, 3.0), (5, 1.0), (99, 3.0), (None, None)]
)
def test_value_is_that_of_the_step_or_the_last_before_it(
    tmp_path: Path, at: int | None, expected: float | None
) -> None:
    with Run(tmp_path, metric="loss", mode="min") as run:
        for step, tags in ((10, {"acc": 1.0}), (20, {}), (25, {"acc": math.nan}), (30, {"acc": 3})):
            run.report(step, {"loss": 1.0, **tags})
    values = objective_values(read_trial(tmp_path), at, [HIGH, Objective(tag="no", mode="min")])
    assert values == [expected, None]


@pytest.fixture
def tradeoff(make_sweep: Any) -> Path:
    """Trials a to e; `train/loss`, the half of the metric, is to be high: all are on the front."""
    losses = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0, "e": 5.0}
    folder = make_sweep(
        [{"kind": kind} for kind in losses],
        lambda setting, step: losses[setting["kind"]],
        ends=lambda setting: "failed" if setting["kind"] == "e" else "finished",
    )
    write_sweep(replace(read_sweep(folder), objectives=("train/loss:max",)))
    assert isinstance(folder, Path)
    return folder


def test_finished_trials_on_the_front_are_marked_everywhere(tradeoff: Path, tmp_path: Path) -> None:
    comparison = compare_sweeps([tradeoff])
    marks = {one.settings["kind"]: one.on_front for one in comparison.trials}
    assert marks == {"a": True, "b": True, "c": True, "d": True, "e": False}  # e has failed
    assert [one.others for one in comparison.trials] == [[0.5], [1.0], [1.5], [2.0], [2.5]]
    same = compare_trials(read_sweep(tradeoff))
    assert [one.on_front for one in same.trials] == [True] * 4 + [False]

    write_results(tmp_path / "results.csv", comparison)
    with (tmp_path / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["pareto"] for row in rows] == ["front"] * 4 + [""]
    assert [row["at_best/train/loss"] for row in rows] == ["0.5", "1.0", "1.5", "2.0", "2.5"]

    text = StringIO()
    print_results(Console(file=text, width=120), comparison)
    head, *lines = text.getvalue().strip().splitlines()
    assert "  best valid/loss  at step  train/loss  Pareto  status" in head
    assert [line.split()[5] == "front" for line in lines[:5]] == [True] * 4 + [False]

    write_report(tmp_path / "a.html", comparison, axis_importance(comparison.trials, ["kind"]))
    found = re.search(
        r'<script id="data" type="application/json">(.*?)</script>',
        (tmp_path / "a.html").read_text(),
        re.DOTALL,
    )
    assert found
    page = json.loads(found[1])
    assert page["objectives"] == ["train/loss"]
    assert [trial["front"] for trial in page["trials"]] == [True] * 4 + [False]
    assert page["trials"][1]["others"] == [1.0]


def test_a_dominated_trial_is_not_marked(tradeoff: Path) -> None:
    write_sweep(replace(read_sweep(tradeoff), objectives=("train/loss",)))
    assert [one.on_front for one in compare_sweeps([tradeoff]).trials] == [True] + [False] * 4


def test_another_ranking_leaves_the_objectives(tradeoff: Path) -> None:
    comparison = compare_sweeps([tradeoff], metric="train/loss", mode="max")
    assert [one.tag for one in comparison.objectives] == ["valid/loss"]
    assert sum(one.on_front for one in comparison.trials) == 4


def test_sweeps_of_other_objectives_have_no_front(tradeoff: Path, make_sweep: Any) -> None:
    other = make_sweep([{"kind": "f"}], lambda setting, step: 1.0, name="other")
    for order in itertools.permutations([tradeoff, other]):
        comparison = compare_sweeps(order)
        assert comparison.objectives == ()
        assert not any(one.on_front or one.others for one in comparison.trials)


def test_an_objective_that_no_trial_reported_is_told(tradeoff: Path) -> None:
    write_sweep(replace(read_sweep(tradeoff), objectives=("train/los",)))
    comparison = compare_sweeps([tradeoff])
    assert comparison.frontless == (
        "no trial reported train/los, so no trial is on the Pareto front; did you mean train/loss."
    )
    text = StringIO()
    print_results(Console(file=text, width=150), comparison)
    assert "no front:    no trial reported train/los" in text.getvalue()


def test_one_objective_has_no_further_columns(grid: Path, tmp_path: Path) -> None:
    comparison = compare_sweeps([grid])
    write_results(tmp_path / "results.csv", comparison)
    assert "pareto" not in (tmp_path / "results.csv").read_text()
    assert comparison.frontless == ""
