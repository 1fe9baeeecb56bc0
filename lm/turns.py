"""A pack whose lanes take turns: each is a single run, bit for bit."""

import time
from collections.abc import Mapping

import jax
import jax.numpy as jnp

from lm.lanes import Part
from lm.step import TrainState
from lm.trainer import Trainer


class Turns:
    """One lane after the other, each to its next report."""

    def __init__(self) -> None:
        self._lanes: dict[int, tuple[Trainer, TrainState, int]] = {}

    @property
    def places(self) -> list[int]:
        """Of the lanes that are left."""
        return list(self._lanes)

    def put(self, place: int, trainer: Trainer, state: TrainState) -> None:
        """Let a trial train from a state on."""
        self._lanes[place] = trainer, state, int(state.step)

    def take(self, place: int) -> TrainState:
        """A copy of a lane's state."""
        copy: TrainState = jax.tree.map(jnp.copy, self._lanes[place][1])
        return copy

    def drop(self, place: int) -> None:
        """Train this lane no more."""
        del self._lanes[place]

    def compile(self) -> float:
        """Compile by taking no step and evaluating no window; gives the seconds it took."""
        place, (trainer, state, step) = next(iter(self._lanes.items()))
        state, seconds = trainer.compile(state)
        self._lanes[place] = trainer, state, step
        return seconds

    def advance(self) -> list[Part]:
        """Train every lane to its next report."""
        began = time.perf_counter()
        found = {}
        for place, (trainer, state, step) in self._lanes.items():
            found[place] = advance = trainer.advance(state, step)
            self._lanes[place] = trainer, advance.state, step + advance.steps
        seconds = time.perf_counter() - began
        parts = []
        for place, (_, steps, _, metrics, finite) in found.items():
            words = steps * self._lanes[place][0].words_per_step
            metrics["words_per_second"] = words / seconds
            parts.append(Part(place, steps, seconds, metrics, finite))
        return parts

    def evaluate(self, places: Mapping[int, bool]) -> dict[int, dict[str, float]]:
        """What an epoch ends with, for some lanes: place -> whether it was the lane's last."""
        found = {}
        for place, last in places.items():
            trainer, state, _ = self._lanes[place]
            found[place] = trainer.evaluate_epoch(state.params, last)
        return found
