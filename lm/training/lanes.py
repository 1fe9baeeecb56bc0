"""A pack whose lanes are computed at once, by one vmapped program."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from lm.backend.transfer import to_device
from lm.config.sizes import STEPS_PER_CALL
from lm.optim.averaging import averaged_updates
from lm.optim.optimizer import Hyperparameters
from lm.training.metrics import CurvePoint, Totals, zero_totals
from lm.training.state import TrainState, evaluated_params
from lm.training.step import record_validation_loss
from lm.training.trainer import Trainer


class LaneReport(NamedTuple):
    """What one lane's training up to its report gave."""

    place: int
    steps: int
    seconds: float
    """Of the whole pack, meanwhile."""
    metrics: dict[str, float]
    finite: bool
    before: list[CurvePoint]
    """Points of its curves before the report."""


@dataclass
class _Lane:
    trainer: Trainer
    step: int
    """Of its last report."""
    seconds: float = 0.0
    """Since then."""
    updates: list[NDArray[np.float32]] = field(default_factory=list)
    """Since then, as `Totals` has them."""


class VmappedTrainer:
    """All lanes by one vmapped program; a place without a lane is computed, too, and ignored.

    A lane's numbers do not depend on the others, but, by rounding, on the number of places.
    """

    def __init__(self, trainer: Trainer, width: int) -> None:
        """Make room.

        Args:
          trainer: of any lane; its program and its text are those of all.
          width: places, at least two, for XLA makes other code of one.
        """
        assert width >= 2
        self._functions = trainer.functions
        self.compute = self._functions.lanes_compute
        self._text = trainer
        self._width = width
        self._lanes: dict[int, _Lane] = {}
        like = trainer.functions.shapes
        self._state = jax.tree.map(lambda x: to_device(np.zeros((width, *x.shape), x.dtype)), like)
        self._totals = _stack([zero_totals()] * width)
        self._values: tuple[Any, Hyperparameters] | None = None
        self._keys = jnp.stack([trainer.train_key] * width)

    @property
    def places(self) -> list[int]:
        """Of the lanes that are left."""
        return list(self._lanes)

    def insert(self, place: int, trainer: Trainer, state: TrainState) -> None:
        """Let a trial train from a state on."""
        self._lanes[place] = _Lane(trainer, int(state.step))
        self._state = _insert(self._state, state, place)
        self._keys = self._keys.at[place].set(trainer.train_key)

    def extract(self, place: int) -> TrainState:
        """A copy of a lane's state."""
        taken: TrainState = _extract(self._state, place)
        return taken

    def remove(self, place: int) -> None:
        """Train this lane no more."""
        del self._lanes[place]

    def compile(self) -> float:
        """Compile by taking no step and evaluating no window; gives the seconds it took."""
        began = time.perf_counter()
        self._run(0)
        self._settle_rows([False] * self._width)
        nothing = self._text.held_out["valid"]._replace(windows=jnp.int32(0))
        jax.block_until_ready(self._functions.evaluate_lanes(self._state.params, nothing))
        self._text.compile_looks(self.extract(0))
        return time.perf_counter() - began

    def advance(self) -> list[LaneReport]:
        """Train to the nearest report of any lane; gives those that have come to theirs, if any:
        a call has as many updates as can be drawn for."""
        left = {
            place: lane.trainer.until_report(lane.step) - int(self._totals.steps[place])
            for place, lane in self._lanes.items()
        }
        steps = min(STEPS_PER_CALL, *left.values())
        counted = self._totals.steps
        began = time.perf_counter()
        self._run(steps)  # waits for the device
        self._settle()
        seconds = time.perf_counter() - began
        parts = []
        for place, lane in self._lanes.items():
            lane.seconds += seconds
            taken = self._totals.steps[place] - counted[place]
            lane.updates.append(np.array(self._totals.updates[place][:taken]))
            if left[place] == steps or not self._totals.finite[place]:
                parts.append(self._part(place, lane))
        return parts

    def evaluate(self, places: Mapping[int, bool]) -> dict[int, dict[str, float]]:
        """What an epoch ends with, for some lanes: place -> whether it was the lane's last."""
        found: dict[int, dict[str, float]] = {place: {} for place in places}
        params = evaluated_params(self._state)
        for split in self._text.splits(last=any(places.values())):
            text = self._text.held_out[split]
            sums = np.asarray(self._functions.evaluate_lanes(params, text))
            for place, last in places.items():
                if split in self._text.splits(last):
                    found[place] |= self._text.evaluation(sums[place], split)
        for place in places:
            found[place] |= averaged_updates(self._state.average, place)
        return found

    def judge(self, losses: Mapping[int, float]) -> None:
        """Let the validation losses of lanes that have ended an epoch decide about averaging."""
        of_all = np.array([losses.get(place, 0.0) for place in range(self._width)])
        due = np.array([place in losses for place in range(self._width)])
        self._state = record_validation_loss(self._state, of_all, due)

    def _part(self, place: int, lane: _Lane) -> LaneReport:
        """A lane's report, from which on it counts from zero."""
        totals: Totals = jax.tree.map(lambda column: column[place], self._totals)
        steps, seconds = int(totals.steps), lane.seconds
        updates = np.concatenate(lane.updates)
        metrics, before = lane.trainer.summary(lane.step, updates, seconds)
        lane.step += steps
        lane.seconds, lane.updates = 0.0, []
        zeros = jax.tree.leaves(zero_totals())
        for column, zero in zip(jax.tree.leaves(self._totals), zeros, strict=True):
            column[place] = zero
        return LaneReport(place, steps, seconds, metrics, bool(totals.finite), before)

    def _run(self, steps: int) -> None:
        counted = np.isin(np.arange(self._width), self.places)
        self._state, totals = self._functions.advance_lanes(
            self._state,
            self._totals._replace(finite=self._totals.finite & counted),
            self._hyperparameters(),
            self._text.streams_lb,
            self._keys,
            steps,
        )
        self._totals = jax.tree.map(np.array, jax.device_get(totals))

    def _settle(self) -> None:
        """Settle the rows of lanes that have come to where that is due."""
        due = [False] * self._width
        for place, lane in self._lanes.items():
            due[place] = lane.trainer.is_flush_due(lane.step + int(self._totals.steps[place]))
        if any(due):
            self._settle_rows(due)

    def _settle_rows(self, due: Sequence[bool]) -> None:
        hyperparams = self._hyperparameters()
        self._state = self._functions.flush_lanes(self._state, hyperparams, jnp.array(due))

    def _hyperparameters(self) -> Hyperparameters:
        """Those of each place; made again only when one of them may be another."""
        some = next(iter(self._lanes.values()))
        lanes = [self._lanes.get(place, some) for place in range(self._width)]
        now = [(id(lane), *_due(lane)) for lane in lanes]
        if self._values is None or self._values[0] != now:
            self._values = now, _stack([lane.trainer.values(lane.step) for lane in lanes])
        return self._values[1]


def _due(lane: _Lane) -> tuple[int, int]:
    """What a lane's hyperparameters hang on: the epoch, and how many changes are made."""
    changes = lane.trainer.config.train.changes
    made = sum(change["step"] <= lane.step for change in changes)
    return lane.step // lane.trainer.steps_per_epoch, made


def _stack(trees: Sequence[Any]) -> Any:
    """Scalars of several trees -> the tree of their vectors, on the host."""
    return jax.tree.map(lambda *leaves: np.array([np.asarray(leaf) for leaf in leaves]), *trees)


@jax.jit
def _extract(state: TrainState, place: Array | int) -> TrainState:
    taken: TrainState = jax.tree.map(lambda x: x[place], state)
    return taken


@partial(jax.jit, donate_argnums=0)
def _insert(state: TrainState, lane: TrainState, place: Array | int) -> TrainState:
    put: TrainState = jax.tree.map(lambda x, y: x.at[place].set(y), state, lane)
    return put
