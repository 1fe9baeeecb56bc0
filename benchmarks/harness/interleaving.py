"""Several implementations take turns, so that a slow moment of the machine meets all of them."""

import argparse
import statistics
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

from benchmarks.harness.worker import Contender, Turn

WARM_UP = 3
"""Steps before the first turn, that caches and clocks settle in."""

MOST_STEPS = 2000
"""In a turn."""


class Entrant(NamedTuple):
    """An implementation with what it is to train; see `Contender`."""

    name: str
    module: str
    values: Mapping[str, Any]
    threads: int = 1
    gpus: float = 0.0
    options: Mapping[str, Any] | None = None


class Measured(NamedTuple):
    """What an implementation took."""

    name: str
    step_seconds: list[float]
    """Of each round."""
    compile_seconds: float
    """Until the first step is done, less a later step."""
    peak_bytes: int
    settle_seconds: float
    """For what is left for the end of an epoch, in addition to its steps."""

    @property
    def middle(self) -> float:
        """Median seconds of a step."""
        return statistics.median(self.step_seconds)


class Plan(NamedTuple):
    """How long to measure."""

    rounds: int
    """Turns that each one gets."""
    seconds: float
    """Of a turn, about."""
    steps: int | None = None
    """In a turn, whatever they take."""

    def __str__(self) -> str:
        """As a table's caption has it."""
        turns = f"{self.steps} steps" if self.steps else f"about {self.seconds:g} s"
        return f"Medians of {self.rounds} rounds of {turns}."


def add_options(parser: argparse.ArgumentParser, seconds: float = 1.0) -> None:
    """The options that make a plan."""
    parser.add_argument("--rounds", type=int, default=5, help="turns of each (default: 5)")
    parser.add_argument(
        "--seconds", type=float, default=seconds, help=f"of a turn, about (default: {seconds:g})"
    )
    parser.add_argument("--steps", type=int, help="in a turn, instead of --seconds")


def plan(options: argparse.Namespace) -> Plan:
    """The plan that the command line asks for."""
    return Plan(options.rounds, options.seconds, options.steps)


def take_turns(entrants: Sequence[Entrant], plan: Plan) -> list[Measured]:
    """Time every entrant; only one computes at a time."""
    with ExitStack() as stack:
        contenders = [
            stack.enter_context(
                Contender(one.module, one.values, one.threads, one.gpus, one.options)
            )
            for one in entrants
        ]
        steps = [plan.steps or _steps(contender, plan.seconds) for contender in contenders]
        turns: list[list[Turn]] = [[] for _ in contenders]
        for _ in range(plan.rounds):
            for place, contender in enumerate(contenders):
                turns[place].append(contender.train(steps[place]))
        return [
            _summary(one.name, contender, taken, count)
            for one, contender, taken, count in zip(entrants, contenders, turns, steps, strict=True)
        ]


def _steps(contender: Contender, seconds: float) -> int:
    """So many take about so long."""
    contender.train(WARM_UP)
    each = contender.train(WARM_UP).seconds / WARM_UP
    return min(MOST_STEPS, max(2, round(seconds / each)))


def ratio(peer: Measured, own: Measured) -> float:
    """The peer's time over one's own: the median of the rounds' ratios."""
    rounds = zip(peer.step_seconds, own.step_seconds, strict=True)
    return statistics.median(theirs / ours for theirs, ours in rounds)


def _summary(name: str, contender: Contender, turns: Sequence[Turn], steps: int) -> Measured:
    step_seconds = [turn.seconds / steps for turn in turns]
    first = contender.first_turn.seconds
    contender.settle()  # compiles
    return Measured(
        name,
        step_seconds,
        compile_seconds=max(0.0, first - statistics.median(step_seconds)),
        peak_bytes=max(turn.peak_bytes for turn in turns),
        settle_seconds=contender.settle(),
    )
