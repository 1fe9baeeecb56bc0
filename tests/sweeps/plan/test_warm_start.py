"""Trials of earlier sweeps that a search learns from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sweeps.config import SweepConfig
from sweeps.errors import UserError
from sweeps.plan.planner import PlannedTrial
from sweeps.plan.warm_start import WarmTrial, read_warm_start
from sweeps.search import dimensions
from sweeps.search.command_line import parse_overrides
from sweeps.search.space import build_space
from sweeps.store import TrialSpec

RANKING = SweepConfig(metric="valid/loss", mode="min")
RATE, KIND = "rate=tag(log,interval(0.001,0.2))", "kind=a,b,c"


def read(
    *folders: Path,
    axes: tuple[str, ...] = (RATE, KIND),
    fixed: Mapping[str, Any] | None = None,
    folder: Path = Path("here"),
    ranking: SweepConfig = RANKING,
) -> tuple[list[WarmTrial], list[str]]:
    config = {"seed": 0, **(fixed or {})}
    spec = TrialSpec(config=config, overrides=(), settings={}, fingerprint="f", train_command="")
    return read_warm_start(
        [str(one) for one in folders],
        folder=folder,
        dimensions=dimensions(build_space((), parse_overrides(list(axes))), []),
        ranking=ranking,
        planned=[PlannedTrial(spec=spec, identity=config)],
    )


def test_finished_trials_on_the_axes_are_observations_and_the_others_are_counted(
    grid: Path,
) -> None:
    """The grid has rates of 0.01, 0.1 and 0.5, of which the last is no place of this space."""
    found, notices = read(grid)
    assert {one.position for one in found} == {(0.01, 0), (0.01, 1), (0.1, 0), (0.1, 1)}
    assert len(found) == 8  # two seeds each: the axis of replicates does not count
    assert all(one.trial.best and one.trial.best.metric == "valid/loss" for one in found)
    assert notices == [
        f"The search knows 8 of 12 trials in {grid} (3 not on the axes, 1 not finished)."
    ]


def test_diverged_trials_are_observations_too(grid: Path) -> None:
    found, _ = read(grid, axes=("rate=0.5,0.6",), fixed={"kind": "b"})
    assert [one.trial.status for one in found] == ["diverged"]


def test_an_axis_that_is_missing_there_is_refused(make_sweep: Any) -> None:
    other = make_sweep([{"size": 8, "kind": "a"}, {"size": 9, "kind": "b"}], lambda s, step: 1.0)
    sentence = f"{other} has no axis rate; none of its 2 trials can be used"
    with pytest.raises(UserError, match=sentence):
        read(other)


def test_an_axis_that_is_missing_here_has_to_agree(make_sweep: Any) -> None:
    settings = [{"rate": 0.1, "size": size} for size in (8, 16)]
    other = make_sweep(settings, lambda s, step: 1 / s["size"])
    found, notices = read(other, axes=(RATE,), fixed={"size": 16})
    assert [one.trial.settings["size"] for one in found] == ["16"]
    assert "1 of 2 trials" in notices[0]
    assert "(1 with another size)" in notices[0]
    with pytest.raises(UserError, match=r"none of the 2 trials in .* \(2 with another size\)"):
        read(other, axes=(RATE,), fixed={"size": 4})


def test_what_else_differs_is_told(make_sweep: Any) -> None:
    other = make_sweep([{"rate": 0.1}], lambda s, step: 1.0, common_config={"epochs": 1, "seed": 0})
    _, notices = read(other, axes=(RATE,), fixed={"epochs": 9})
    assert notices == [f"The search knows 1 of 1 trials in {other}, where epochs=1 (now 9)."]


@pytest.mark.parametrize(("tag", "expected"), [("valid/loss", 0.1), ("train/loss", 0.05)])
def test_the_metric_of_this_sweep_counts_whatever_ranked_the_other(
    make_sweep: Any, tag: str, expected: float
) -> None:
    other = make_sweep([{"rate": 0.1}], lambda s, step: 1 / step, steps=(5, 10))
    found, _ = read(other, axes=(RATE,), ranking=SweepConfig(metric=tag, mode="min"))
    assert found[0].trial.best_of(tag) == (pytest.approx(expected), 10)


def test_sweep_without_the_metric_or_without_trials_is_refused(make_sweep: Any) -> None:
    other = make_sweep([{"rate": 0.1}], lambda s, step: 1.0)
    with pytest.raises(UserError, match=r"\(1 without a value of accuracy\)"):
        read(other, axes=(RATE,), ranking=SweepConfig(metric="accuracy", mode="max"))
    waiting = make_sweep([{"rate": 0.1}], lambda s, step: 1.0, name="w", ends=lambda s: "waiting")
    with pytest.raises(UserError, match=r"none of the 1 trials .* \(1 not finished\)"):
        read(waiting, axes=(RATE,))


def test_own_folder_and_missing_folder_are_refused(grid: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="this sweep's own folder"):
        read(grid, folder=grid)
    with pytest.raises(UserError, match="none does not exist"):
        read(tmp_path / "none")


def test_folder_that_is_named_twice_counts_once(grid: Path) -> None:
    assert len(read(grid, grid)[0]) == 8
