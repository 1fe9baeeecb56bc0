"""Two tables of metrics: what counts as the same, and which difference is told."""

import math

import pytest

from sweeps.reproduce.metric_diff import Difference, diff_metrics
from sweeps.store.metrics import Row

TABLE: list[Row] = [
    {"step": 1, "wall_time": 5.0, "loss": 2.0, "speed": 9.0},
    {"step": 2, "wall_time": 6.0, "loss": 1.0, "speed": 8.0, "valid": math.nan},
]


def changed(step: int, **values: float) -> list[Row]:
    return [{**row, **values} if row["step"] == step else row for row in TABLE]


def test_equal_tables_are_identical_and_say_how_much_was_compared() -> None:
    found = diff_metrics(TABLE, TABLE)
    assert (found.steps, found.values, found.differences) == (2, 5, ())
    assert found.first_beyond(0) is None
    assert found.largest is None


def test_clocks_are_not_compared() -> None:
    found = diff_metrics(TABLE, changed(2, wall_time=99.0, speed=1.0), ignored=["speed"])
    assert (found.values, found.differences) == (3, ())


def test_first_and_largest_difference_are_told_with_their_sizes() -> None:
    now = [{**TABLE[0], "loss": 2.0000002}, {**TABLE[1], "loss": 1.5}]
    found = diff_metrics(TABLE, now)
    assert found.first_beyond(0) == Difference(1, "loss", 2.0, 2.0000002)
    assert found.first_beyond(1e-4) == found.largest == Difference(2, "loss", 1.0, 1.5)
    assert str(found.largest) == "step 2, loss: 1.0, now 1.5; 0.5 apart, 0.33 relative"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (math.nan, math.nan, True),
        (math.inf, math.inf, True),
        (math.inf, -math.inf, False),
        (math.nan, 1.0, False),
        (0.0, -0.0, True),
        (0.0, 1e-300, False),  # no subnormal number: a library may round those to 0
        (0.1 + 0.2, 0.3, False),
    ],
)
def test_no_number_is_a_number_to_compare(one: float, other: float, same: bool) -> None:
    tables = ([{"step": 1, "loss": float(value)}] for value in (one, other))
    assert (not diff_metrics(*tables).differences) == same


def test_difference_to_what_is_no_number_is_beyond_any_tolerance() -> None:
    found = diff_metrics(TABLE, changed(2, valid=3.0))
    assert found.first_beyond(1e9) is not None
    assert str(found.largest) == "step 2, valid: nan, now 3.0"


def test_missing_step_or_metric_is_a_difference_on_either_side() -> None:
    missing = Difference(2, "loss", 1.0, None)
    assert missing in diff_metrics(TABLE, TABLE[:1]).differences
    assert Difference(2, "loss", None, 1.0) in diff_metrics(TABLE[:1], TABLE).differences
    assert str(missing) == "step 2, loss: 1.0, now missing"


def test_steps_after_the_last_that_counts_are_left_out() -> None:
    found = diff_metrics(TABLE[:1], TABLE, until=1)
    assert (found.steps, found.differences) == (1, ())


def test_reports_of_one_step_belong_together() -> None:
    split: list[Row] = [TABLE[0], {"step": 2, "loss": 1.0}, {"step": 2, "speed": 8.0}]
    assert diff_metrics(TABLE, split, ignored=["valid"]).differences == ()
