"""What a pack asks of the device: to train its trials, the lanes, from report to report.

`lm.together` computes all lanes by one vmapped program, for a GPU, which one trial leaves idle. On
a CPU that takes as long as one lane after the other, and XLA rounds sums differently from one
number of lanes to another; there `lm.turns` lets each lane take the steps of a single run.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from lm.step import TrainState
from lm.trainer import Trainer


class Part(NamedTuple):
    """What one lane's training up to its report gave."""

    place: int
    steps: int
    seconds: float
    """Of the whole pack, meanwhile."""
    metrics: dict[str, float]
    finite: bool


class Lanes(Protocol):
    """Trials that train side by side, each known by its place."""

    @property
    def places(self) -> Sequence[int]:
        """Of the lanes that are left."""

    def put(self, place: int, trainer: Trainer, state: TrainState) -> None:
        """Let a trial train from a state on."""

    def take(self, place: int) -> TrainState:
        """A copy of a lane's state."""

    def drop(self, place: int) -> None:
        """Train this lane no more."""

    def compile(self) -> float:
        """Compile by taking no step and evaluating no window; gives the seconds it took."""

    def advance(self) -> list[Part]:
        """Train until some have come to a report; gives those."""

    def evaluate(self, places: Mapping[int, bool]) -> dict[int, dict[str, float]]:
        """What an epoch ends with, for some lanes: place -> whether it was the lane's last."""
