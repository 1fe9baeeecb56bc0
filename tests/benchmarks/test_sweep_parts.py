import time
from typing import Any

import pytest

from benchmarks.harness.timed_trial import Clock
from benchmarks.sweep_parts import TimedSweep, sweep_seconds, trial_seconds


def trial(pid: int, began: float, ended: float, **parts: float) -> dict[str, Any]:
    return {
        "pid": pid,
        "born": 103.0,
        "started": 104.0,
        "loaded": 106.0,
        "began": began,
        "ended": ended,
        "parts": parts,
    }


SWEEP = TimedSweep(
    100.0,
    124.0,
    [
        trial(1, 106.0, 110.0, updates=1.0, text=3.0),
        trial(2, 106.0, 111.0, updates=4.0, text=1.0),
        trial(1, 110.5, 120.0, updates=9.5),
        trial(2, 111.0, 115.0, updates=3.0, evaluation=1.0),
    ],
)


def test_parts_of_a_sweep_are_those_of_the_worker_that_ended_last_and_add_up() -> None:
    parts = sweep_seconds(SWEEP)
    assert parts == {
        "plan, start of Ray": 3.0,
        "start of a worker": 1.0,
        "its imports": 2.0,
        "trials": 13.5,
        "between trials": 0.5,
        "after the last trial": 4.0,
    }
    assert sum(parts.values()) == SWEEP.end - SWEEP.start


def test_first_trials_of_workers_are_told_apart_from_later_ones() -> None:
    assert trial_seconds(SWEEP, first=True) == {"updates": 2.5, "text": 2.0}
    assert trial_seconds(SWEEP, first=False) == {"updates": 6.25, "evaluation": 0.5}


def test_a_part_has_no_seconds_of_those_within_it(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    clock = Clock()

    def spend(seconds: float) -> None:
        nonlocal now
        now += seconds

    def train() -> None:
        spend(1)
        clock.timed("updates", spend)(5)
        compile_all()
        clock.timed("updates", spend)(2)

    @lambda function: clock.timed("tracing", function)
    def compile_all() -> None:
        spend(7)
        clock.compiled("/jax/core/compile/backend_compile_duration", 4, fun_name="jit(step)")
        clock.compiled("/jax/core/compile/jaxpr_trace_duration", 3, fun_name="step")

    clock.timed("else", train)()
    assert clock.seconds == {"updates": 7, "compiling step": 4, "tracing": 3, "else": 1}
    assert sum(clock.seconds.values()) == now
