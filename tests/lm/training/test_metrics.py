"""Curves that are finer than reports: `log.scalars_every`."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lm.training.randomness
from lm.training.metrics import TAGS, CurvePoint, curve_points
from sweeps.store.metrics import read_metrics
from tests.lm.helpers.packs import lanes, train_pack
from tests.lm.helpers.training import assert_same, final_state, killed_at, run

Compose = Callable[..., dict[str, Any]]
FINE = ("log.scalars_every=3", "model.dropout=0.2")
SAMPLED = ("loss.kind=sampled_softmax", "loss.samples=5")


def rows(folder: Path) -> list[dict[str, float]]:
    return read_metrics(folder / "metrics.csv")


def steps(folder: Path) -> list[int]:
    return [int(row["step"]) for row in rows(folder)]


def curve(folder: Path, tag: str) -> np.ndarray:
    return np.array([row[tag] for row in rows(folder)])


def reported(at: int, every: int) -> Iterator[int]:
    """Steps of the points of two epochs of so many updates."""
    for epoch in (0, 1):
        for report in range(0, at, 7):
            end = min(report + 7, at)
            yield from (epoch * at + step for step in (*range(report + every, end, every), end))


def test_a_point_is_the_mean_over_its_updates_and_the_last_over_what_is_left() -> None:
    updates = np.arange(20, dtype=np.float32).reshape(5, 4)
    found = list(curve_points(30, updates, 2))
    assert [point.step for point in found] == [32, 34, 35]
    assert found[0] == CurvePoint(32, dict(zip(TAGS, [2, 3, 4, 5], strict=True)))
    assert found[2] == CurvePoint(35, dict(zip(TAGS, [16, 17, 18, 19], strict=True)))


@pytest.fixture(scope="module")
def fine(tmp_path_factory: pytest.TempPathFactory, tiny: Compose) -> Path:
    folder = tmp_path_factory.mktemp("fine")
    assert run(folder, tiny(*FINE)).status == "finished"
    return folder


def test_points_are_means_of_what_reports_after_every_update_say(
    fine: Path, tmp_path: Path, tiny: Compose
) -> None:
    run(tmp_path, tiny("train.report_every=1", "model.dropout=0.2"))
    at = len(rows(tmp_path)) // 2
    found = steps(fine)
    assert found == list(reported(at, 3))
    for tag in TAGS:
        single, first = curve(tmp_path, tag), 0
        for step, value in zip(found, curve(fine, tag), strict=True):
            assert value == pytest.approx(single[first:step].mean(), rel=1e-5)
            first = step
    states = [final_state(folder, tiny(*FINE)) for folder in (fine, tmp_path)]
    assert all(np.array_equal(one, other) for one, other in zip(*states, strict=True))


def test_only_reports_have_what_is_no_curve(fine: Path) -> None:
    reports = [row for row in rows(fine) if "time/words_per_second" in row]
    assert [int(row["step"]) for row in reports] == [7, 14, 21, 23, 30, 37, 44, 46]
    assert sum("valid/loss" in row for row in rows(fine)) == 2


def test_a_resumed_run_has_the_points_of_an_uninterrupted_one(
    fine: Path, tmp_path: Path, tiny: Compose
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, tiny(*FINE), killed_at(30))
    assert run(tmp_path, tiny(*FINE)).status == "finished"
    assert_same(tmp_path, fine, tiny(*FINE))


def test_a_report_of_several_calls_has_the_updates_of_all(
    tmp_path: Path, tiny: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = ("train.report_every=40", "log.scalars_every=1", *SAMPLED)
    run(tmp_path / "whole", tiny(*every))
    monkeypatch.setattr(lm.training.randomness, "STEPS_PER_CALL", 9)
    run(tmp_path / "turns", tiny(*every))
    assert steps(tmp_path / "turns") == steps(tmp_path / "whole") == list(range(1, 47))
    for tag in TAGS:
        one, other = (curve(tmp_path / name, tag) for name in ("turns", "whole"))
        np.testing.assert_array_equal(one, other)


def test_lanes_have_points_of_their_own(tmp_path: Path, tiny: Compose) -> None:
    names = ("plain", "rate", "changes")
    train_pack(tmp_path / "fine", lanes(tiny, *names, options=("log.scalars_every=1",)))
    train_pack(tmp_path / "single", lanes(tiny, *names, options=("train.report_every=1",)))
    for name in names:
        fine, single = tmp_path / "fine" / name, tmp_path / "single" / name
        assert steps(fine) == steps(single) == list(range(1, 47))
        for tag in TAGS:
            np.testing.assert_allclose(curve(fine, tag), curve(single, tag), rtol=1e-6)
