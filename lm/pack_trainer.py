"""The device's side of a pack: trials of one program as lanes of the same arrays.

A lane's numbers do not depend on the others, nor on how many there are: with two or more lanes
XLA's code treats each alike (a single trial's code rounds differently, so there are always two).
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from lm.optimizer import Hyperparameters
from lm.step import Totals, TrainState, no_totals
from lm.trainer import Trainer


@dataclass
class Lane:
    """A trial that is being trained."""

    trainer: Trainer
    step: int
    """Of its last report."""
    seconds: float = 0.0
    """Since then."""


class Part(NamedTuple):
    """What one lane's training up to its report gave."""

    place: int
    steps: int
    seconds: float
    metrics: dict[str, float]
    finite: bool


class PackTrainer:
    """Trains lanes together; a place without a lane is computed, too, and ignored."""

    def __init__(self, trainer: Trainer, width: int) -> None:
        """Make room.

        Args:
          trainer: of any lane; its program and its text are those of all.
          width: places; at least two are made.
        """
        self.program = trainer.program
        self._text = trainer
        self.lanes: list[Lane | None] = [None] * max(width, 2)
        like = jax.eval_shape(trainer.start)
        shape = (self.width,)
        self.state = jax.tree.map(lambda x: jnp.zeros(shape + x.shape, x.dtype), like)
        self._totals = _stack([no_totals()] * self.width)
        self._values: tuple[Any, Hyperparameters] | None = None
        self._keys: Array | None = None
        self._pace = 0.0
        self.compile_seconds = 0.0

    @property
    def width(self) -> int:
        """Places, with lanes or without."""
        return len(self.lanes)

    @property
    def busy(self) -> dict[int, Lane]:
        """The lanes by their places."""
        return {place: lane for place, lane in enumerate(self.lanes) if lane is not None}

    def put(self, place: int, trainer: Trainer, state: TrainState) -> None:
        """Let a trial train from a state on."""
        self.lanes[place] = Lane(trainer, int(state.step))
        self.state = _put(self.state, state, place)
        self._keys = None

    def take(self, place: int) -> TrainState:
        """A copy of a lane's state."""
        state: TrainState = _take(self.state, place)
        return state

    def drop(self, place: int) -> None:
        """Ignore a lane from now on."""
        self.lanes[place] = None

    def compile(self) -> None:
        """Compile by taking no step and evaluating no window; sets `compile_seconds`."""
        began = time.perf_counter()
        self._run(0)
        nothing = self._text.held_out["valid"]._replace(windows=jnp.int32(0))
        jax.block_until_ready(self.program.evaluate_lanes(self.state.params, nothing))
        self.compile_seconds = time.perf_counter() - began

    def advance(self) -> list[Part]:
        """Train to the nearest report of any lane; gives those that have come to theirs."""
        before = np.asarray(self._totals.steps)
        left = {
            place: lane.trainer.until_report(lane.step) - int(before[place])
            for place, lane in self.busy.items()
        }
        steps = min(left.values())
        began = time.perf_counter()
        self._run(steps)
        totals = jax.device_get(self._totals)  # waits for the device
        seconds = time.perf_counter() - began
        self._pace = seconds / steps
        self._totals = jax.tree.map(np.array, totals)
        parts = []
        for place, lane in self.busy.items():
            lane.seconds += seconds
            if left[place] == steps or not totals.finite[place]:
                parts.append(self._part(place, lane, totals))
        return parts

    def evaluate(self, places: Mapping[int, bool]) -> dict[int, dict[str, float]]:
        """What an epoch ends with, for some lanes: place -> whether it was the lane's last."""
        splits = self._text.splits(last=any(places.values()))
        sums = {
            split: np.asarray(
                self.program.evaluate_lanes(self.state.params, self._text.held_out[split])
            )
            for split in splits
        }
        found: dict[int, dict[str, float]] = {}
        for place, last in places.items():
            found[place] = {}
            for split in self._text.splits(last):
                found[place] |= self._text.evaluation(sums[split][place], split)
        return found

    def narrower(self) -> int | None:
        """The width to go on in, where less than half of the places has a lane and the time that
        is saved is likely to be more than that of compiling again."""
        busy = list(self.busy.values())
        width = max(2, 1 << (len(busy) - 1).bit_length())
        steps = max((lane.trainer.total_steps - lane.step for lane in busy), default=0)
        saved = steps * self._pace * (1 - width / self.width)
        return width if 2 * width <= self.width and saved > self.compile_seconds else None

    def narrow(self, width: int) -> list[int]:
        """Go on with fewer places; gives the old place of each."""
        kept = list(self.busy)
        places = np.array(kept + kept[:1] * (width - len(kept)))
        self.state = _take(self.state, places)
        self._totals = jax.tree.map(lambda x: x[places], self._totals)
        free = [None] * (width - len(kept))
        self.lanes = [*(self.lanes[place] for place in kept), *free]
        self._values = self._keys = None
        return kept

    def _part(self, place: int, lane: Lane, all_totals: Totals) -> Part:
        """A lane's report, from which on it counts from zero."""
        totals = jax.tree.map(lambda x: x[place], all_totals)
        steps, seconds = int(totals.steps), lane.seconds
        metrics = lane.trainer.summary(lane.step, totals, seconds)
        lane.step += steps
        lane.seconds = 0.0
        for column, zero in zip(
            jax.tree.leaves(self._totals), jax.tree.leaves(no_totals()), strict=True
        ):
            column[place] = zero
        return Part(place, steps, seconds, metrics, bool(totals.finite))

    def _run(self, steps: int) -> None:
        counted = np.array([lane is not None for lane in self.lanes])
        totals = self._totals._replace(finite=self._totals.finite & counted)
        self.state, self._totals = self.program.train_lanes(
            self.state,
            totals,
            self._hyperparameters(),
            self._text.streams_lb,
            self._train_keys(),
            jnp.int32(steps),
        )

    def _hyperparameters(self) -> Hyperparameters:
        """Those of each place; made again only when one of them may be another."""
        some = next(iter(self.busy.values()))
        lanes = [lane or some for lane in self.lanes]
        now = [
            (id(lane), lane.step // lane.trainer.steps_per_epoch, _changes(lane)) for lane in lanes
        ]
        if self._values is None or self._values[0] != now:
            self._values = now, _stack([lane.trainer.values(lane.step) for lane in lanes])
        return self._values[1]

    def _train_keys(self) -> Array:
        if self._keys is None:
            some = next(iter(self.busy.values()))
            self._keys = jnp.stack([(lane or some).trainer.train_key for lane in self.lanes])
        return self._keys


def _changes(lane: Lane) -> int:
    """How many of a lane's `train.changes` are made."""
    return sum(change["step"] <= lane.step for change in lane.trainer.config.train.changes)


def _stack(trees: Sequence[Any]) -> Any:
    """Scalars of several trees -> the tree of their vectors, on the host."""
    return jax.tree.map(lambda *leaves: np.array([np.asarray(leaf) for leaf in leaves]), *trees)


@jax.jit
def _take(state: TrainState, places: int | NDArray[np.int64]) -> TrainState:
    taken: TrainState = jax.tree.map(lambda x: x[places], state)
    return taken


@partial(jax.jit, donate_argnums=0)
def _put(state: TrainState, lane: TrainState, place: int) -> TrainState:
    put: TrainState = jax.tree.map(lambda x, y: x.at[place].set(y), state, lane)
    return put
