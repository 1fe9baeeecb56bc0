from pathlib import Path

import pytest

from benchmarks.sweep_overhead import (
    Sweep,
    TrialTimes,
    break_down,
    busiest_slot,
    overhead_of_later_trials,
    update_seconds,
)


def trial(start: float, end: float) -> TrialTimes:
    return TrialTimes(start, end, compiling=1, updates=2, slots=2)


TRIALS = [trial(105, 115), trial(106, 110), trial(111, 121), trial(116, 120)]


def test_trials_are_put_where_a_slot_was_free_first() -> None:
    assert busiest_slot(TRIALS, slots=2) == [TRIALS[0], TRIALS[3]]


def test_parts_add_up_to_the_wall_time() -> None:
    parts = break_down(Sweep(100, 124, TRIALS))
    assert parts == {
        "training updates": 4,
        "before the first trial": 5,
        "compiling": 2,
        "evaluation, checkpoints, loading": 8,
        "between trials": 2,
        "after the last trial": 3,
    }
    assert sum(parts.values()) == 24


def test_later_trials_cost_what_they_took_since_the_one_before() -> None:
    """Two seconds of each are updates."""
    assert overhead_of_later_trials(Sweep(100, 124, TRIALS)) == [120 - 115 - 2, 121 - 110 - 2]


def test_no_more_slots_than_trials() -> None:
    assert Sweep(0, 9, [trial(1, 8)]).slots == 1


def test_time_of_updates_comes_from_each_epoch_s_speed(tmp_path: Path) -> None:
    table = tmp_path / "metrics.csv"
    table.write_text("step,time/words_per_second,valid/loss\n5,99,\n10,50,3.5\n15,99,\n20,25,3.4\n")
    assert update_seconds(table, words_per_step=5) == pytest.approx(1 + 2)
