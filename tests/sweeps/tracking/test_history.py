"""What a trial's history shows in TensorBoard beside what was reported."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sweeps.tracking import Run

Look = Callable[[Path], Any]


@pytest.mark.parametrize(("mode", "best"), [("min", [3, 1, 1, 1, 0]), ("max", [3, 3, 3, 5, 5])])
def test_curve_of_the_best_value_goes_on_where_a_resumed_run_does(
    tmp_path: Path, mode: str, best: list[float], look: Look
) -> None:
    with Run(tmp_path, metric="loss", mode=mode) as run:
        for step, loss in enumerate([3.0, 1.0, -7.0, 9.0]):
            run.report(step, {"loss": loss})
            run.report(step, {"other": 1.0})
    with Run(tmp_path, metric="loss", mode=mode) as run:
        run.resume_at(1)
        for step, loss in enumerate([math.nan, 5.0, 0.0], start=2):
            run.report(step, {"loss": loss})
    assert look(tmp_path).scalars()["best/loss"] == list(enumerate(best))
    assert "best/loss" not in (tmp_path / "metrics.csv").read_text()
