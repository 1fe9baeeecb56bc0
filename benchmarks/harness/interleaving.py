"""Times several implementations in interleaved rounds.

Each round gives every implementation its turn, so that a slow moment of the machine meets all of
them. asv calls it interleaving rounds.
"""

import argparse
import statistics
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

from benchmarks.harness.worker import Timing, Worker

WARMUP_STEPS = 3
"""Steps before the first round, which fill caches and raise the clock."""

MAX_STEPS = 2000
"""Steps in a round, at most."""


class Implementation(NamedTuple):
    """An implementation and the configuration that it trains; the arguments of a `Worker`."""

    name: str
    module: str
    values: Mapping[str, Any]
    threads: int = 1
    gpus: float = 0.0
    options: Mapping[str, Any] | None = None


class Measurement(NamedTuple):
    """Time and memory that an implementation took."""

    name: str
    step_seconds: list[float]
    """Seconds of a step, for each round."""
    compile_seconds: float
    """Seconds until the first step is done, less those of a later step."""
    peak_bytes: int
    flush_seconds: float
    """Seconds of the work that is left for the end of an epoch, in addition to its steps."""

    @property
    def median(self) -> float:
        """Median seconds of a step."""
        return statistics.median(self.step_seconds)


class TimingPlan(NamedTuple):
    """How long to measure."""

    rounds: int
    seconds: float
    """Seconds that a round should take each implementation, about."""
    steps: int | None = None
    """Steps in a round, whatever they take; None: as many as take `seconds`."""

    def __str__(self) -> str:
        """The plan as a table's caption has it."""
        length = f"{self.steps} steps" if self.steps else f"about {self.seconds:g} s"
        return f"Medians of {self.rounds} rounds of {length}."


def add_options(parser: argparse.ArgumentParser, seconds: float = 1.0) -> None:
    """Add the options that make a `TimingPlan`."""
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each (default: 5)")
    parser.add_argument(
        "--seconds", type=float, default=seconds, help=f"of a round, about (default: {seconds:g})"
    )
    parser.add_argument("--steps", type=int, help="in a round, instead of --seconds")


def timing_plan(options: argparse.Namespace) -> TimingPlan:
    """Make the plan that the command line asks for."""
    return TimingPlan(rounds=options.rounds, seconds=options.seconds, steps=options.steps)


def run_interleaved(
    implementations: Sequence[Implementation], plan: TimingPlan
) -> list[Measurement]:
    """Time every implementation; only one computes at a time."""
    with ExitStack() as stack:
        workers = [
            stack.enter_context(
                Worker(
                    module=one.module,
                    values=one.values,
                    threads=one.threads,
                    gpus=one.gpus,
                    options=one.options,
                )
            )
            for one in implementations
        ]
        steps = [plan.steps or _steps_in(worker, plan.seconds) for worker in workers]
        timings: list[list[Timing]] = [[] for _ in workers]
        for _ in range(plan.rounds):
            for place, worker in enumerate(workers):
                timings[place].append(worker.train(steps[place]))
        return [
            _measurement(one.name, worker, taken, count)
            for one, worker, taken, count in zip(
                implementations, workers, timings, steps, strict=True
            )
        ]


def ratio(peer: Measurement, own: Measurement) -> float:
    """The peer's time over one's own: the median of the rounds' ratios."""
    rounds = zip(peer.step_seconds, own.step_seconds, strict=True)
    return statistics.median(theirs / ours for theirs, ours in rounds)


def _steps_in(worker: Worker, seconds: float) -> int:
    """Find the number of steps that take about `seconds` seconds."""
    worker.train(WARMUP_STEPS)
    each = worker.train(WARMUP_STEPS).seconds / WARMUP_STEPS
    return min(MAX_STEPS, max(2, round(seconds / each)))


def _measurement(name: str, worker: Worker, timings: Sequence[Timing], steps: int) -> Measurement:
    step_seconds = [timing.seconds / steps for timing in timings]
    first = worker.first_step.seconds
    worker.flush()  # compiles
    return Measurement(
        name=name,
        step_seconds=step_seconds,
        compile_seconds=max(0.0, first - statistics.median(step_seconds)),
        peak_bytes=max(timing.peak_bytes for timing in timings),
        flush_seconds=worker.flush(),
    )
