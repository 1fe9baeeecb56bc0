"""An engine for a pack: trials that differ in numbers only, as lanes of one vmapped program."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from lm.backend.transfer import to_device
from lm.config.sizes import STEPS_PER_CALL
from lm.model.types import Params
from lm.optim.averaging import averaged_updates
from lm.optim.optimizer import Hyperparameters
from lm.training.metrics import Totals, zero_totals
from lm.training.state import TrainState, evaluated_params
from lm.training.step import record_validation_loss
from lm.training.trainer import Trainer, TrainReport
from sweeps.io.atomic import make_directory, read_json, write_json
from sweeps.store.provenance import read_provenance
from sweeps.tracking import Run

NUM_LANES_FILE = "lanes.json"
"""Beside the checkpoints of a trial that is trained in a pack: the number of its lanes."""


@dataclass
class _Lane:
    trainer: Trainer
    step: int
    """Updates made by its last report."""
    seconds: float = 0.0
    """Since its last report."""
    updates: list[NDArray[np.float32]] = field(default_factory=list)
    """Since its last report, as `Totals` has them."""


class VmappedEngine:
    """Trains several trials by one vmapped program; see `lm.training.loop.Engine`.

    An empty lane is computed, too, and ignored. A lane's numbers do not depend on the others, but,
    by rounding, on the number of lanes.
    """

    saves_in_background = True

    def __init__(self, trainer: Trainer, num_lanes: int) -> None:
        """Make room.

        Args:
          trainer: of any lane; its functions and its text are those of all.
          num_lanes: at least two, for XLA makes other code of one.
        """
        assert num_lanes >= 2
        self.compute = trainer.functions.lanes_compute
        self._functions = trainer.functions
        self._shared = trainer
        self._num_lanes = num_lanes
        self._lanes: dict[int, _Lane] = {}
        like = trainer.functions.shapes
        self._state = jax.tree.map(
            lambda x: to_device(np.zeros((num_lanes, *x.shape), x.dtype)), like
        )
        self._totals = _stack([zero_totals()] * num_lanes)
        self._hyperparams: tuple[Any, Hyperparameters] | None = None
        self._keys = jnp.stack([trainer.train_key] * num_lanes)

    @property
    def lanes(self) -> list[int]:
        """The lanes that are in training."""
        return list(self._lanes)

    def insert(self, lane: int, trainer: Trainer, state: TrainState) -> None:
        """Let a trial train in this lane, from a state on."""
        self._lanes[lane] = _Lane(trainer, int(state.step))
        self._state = _insert(self._state, state, lane)
        self._keys = self._keys.at[lane].set(trainer.train_key)

    def state(self, lane: int) -> TrainState:
        """A copy of a lane's state."""
        state: TrainState = _extract(self._state, lane)
        return state

    def remove(self, lane: int) -> None:
        """Train this lane no more."""
        del self._lanes[lane]

    def compile(self) -> None:
        """Compile by taking no step and evaluating no window."""
        self._run(0)
        self._flush([False] * self._num_lanes)
        nothing = self._shared.held_out["valid"]._replace(windows=jnp.int32(0))
        jax.block_until_ready(self._functions.evaluate_lanes(self._state.params, nothing))

    def advance(self) -> dict[int, TrainReport]:
        """Train to the nearest report of any lane; gives those of the lanes that have come to
        theirs, if any: a call takes at most `STEPS_PER_CALL` steps."""
        left = {
            number: lane.trainer.until_report(lane.step) - int(self._totals.steps[number])
            for number, lane in self._lanes.items()
        }
        steps = min(STEPS_PER_CALL, *left.values())
        counted = self._totals.steps
        began = time.perf_counter()
        self._run(steps)  # waits for the device
        self._flush_where_due()
        seconds = time.perf_counter() - began
        reports = {}
        for number, lane in self._lanes.items():
            lane.seconds += seconds
            taken = self._totals.steps[number] - counted[number]
            lane.updates.append(np.array(self._totals.updates[number][:taken]))
            if left[number] == steps or not self._totals.finite[number]:
                reports[number] = self._report(number, lane)
        return reports

    def evaluate(self, lanes: Sequence[int], split: str) -> dict[int, dict[str, float]]:
        """Metrics of a held-out split, by tag, for each of the lanes."""
        return self._evaluate(evaluated_params(self._state), lanes, split)

    def evaluate_params(self, lane: int, params: Params, split: str) -> dict[str, float]:
        """Metrics of a held-out split, by tag, with other parameters than a lane's own."""
        of_all = jax.tree.map(
            lambda all_lanes, one: all_lanes.at[lane].set(one),
            evaluated_params(self._state),
            params,
        )
        return self._evaluate(of_all, [lane], split)[lane]

    def _evaluate(
        self, params: Params, lanes: Sequence[int], split: str
    ) -> dict[int, dict[str, float]]:
        windows = self._shared.held_out[split]
        sums = np.asarray(self._functions.evaluate_lanes(params, windows))
        return {lane: self._shared.evaluation(sums[lane], split) for lane in lanes}

    def averaged_updates(self, lane: int) -> dict[str, float]:
        """Number of updates whose average is evaluated, by tag; empty without averaging."""
        return averaged_updates(self._state.average, lane)

    def record_validation_losses(self, losses: Mapping[int, float]) -> None:
        """Let the validation losses of lanes decide whether averaging begins."""
        of_all = np.array([losses.get(lane, 0.0) for lane in range(self._num_lanes)])
        due = np.array([lane in losses for lane in range(self._num_lanes)])
        self._state = record_validation_loss(self._state, of_all, due)

    def _report(self, number: int, lane: _Lane) -> TrainReport:
        """A lane's report, from which on it counts from zero."""
        totals: Totals = jax.tree.map(lambda column: column[number], self._totals)
        updates, finite = np.concatenate(lane.updates), bool(totals.finite)
        report = lane.trainer.report(lane.step, updates, seconds=lane.seconds, finite=finite)
        lane.step += report.steps
        lane.seconds, lane.updates = 0.0, []
        zeros = jax.tree.leaves(zero_totals())
        for column, zero in zip(jax.tree.leaves(self._totals), zeros, strict=True):
            column[number] = zero
        return report

    def _run(self, steps: int) -> None:
        in_training = np.isin(np.arange(self._num_lanes), self.lanes)
        self._state, totals = self._functions.advance_lanes(
            self._state,
            self._totals._replace(finite=self._totals.finite & in_training),
            self._lanes_hyperparams(),
            self._shared.streams_lb,
            self._keys,
            steps,
        )
        self._totals = jax.tree.map(np.array, jax.device_get(totals))

    def _flush_where_due(self) -> None:
        """Bring the rows of lanes up to date that have come to where that is due."""
        due = [False] * self._num_lanes
        for number, lane in self._lanes.items():
            due[number] = lane.trainer.is_flush_due(lane.step + int(self._totals.steps[number]))
        if any(due):
            self._flush(due)

    def _flush(self, due: Sequence[bool]) -> None:
        hyperparams = self._lanes_hyperparams()
        self._state = self._functions.flush_lanes(self._state, hyperparams, jnp.array(due))

    def _lanes_hyperparams(self) -> Hyperparameters:
        """Hyperparameters of each lane; made again only when one of them may have changed."""
        some = next(iter(self._lanes.values()))
        lanes = [self._lanes.get(number, some) for number in range(self._num_lanes)]
        now = [(id(lane), *_epoch_and_changes(lane)) for lane in lanes]
        if self._hyperparams is None or self._hyperparams[0] != now:
            stacked = _stack([lane.trainer.hyperparams(lane.step) for lane in lanes])
            self._hyperparams = now, stacked
        return self._hyperparams[1]


def read_num_lanes(runs: Sequence[Run]) -> int:
    """The number of lanes of a pack: that with which its trials began, as rounding depends on it.

    A resumed trial's number lies beside its checkpoints; that of one to be reproduced, whose
    folder is new, in the provenance.
    """
    kept = [(read_json(run.checkpoints / NUM_LANES_FILE) or {}).get("lanes") for run in runs]
    kept += [read_provenance(run.directory).facts.get("lanes") for run in runs]
    return max(2, len(runs), *(number for number in kept if isinstance(number, int)))


def write_num_lanes(run: Run, num_lanes: int) -> None:
    """Keep the number of lanes beside a trial's checkpoints."""
    make_directory(run.checkpoints)
    write_json(run.checkpoints / NUM_LANES_FILE, {"lanes": num_lanes})


def forget_num_lanes(runs: Sequence[Run]) -> None:
    """Let trials begin again with any number of lanes."""
    for run in runs:
        (run.checkpoints / NUM_LANES_FILE).unlink(missing_ok=True)


def _epoch_and_changes(lane: _Lane) -> tuple[int, int, int]:
    """Epoch, changes and plateaus, on which the hyperparameters of a lane depend."""
    changes = lane.trainer.config.train.changes
    made = sum(change["step"] <= lane.step for change in changes)
    return lane.step // lane.trainer.steps_per_epoch, made, len(lane.trainer.plateaus)


def _stack(trees: Sequence[Any]) -> Any:
    """Stack the scalars of several trees to a tree of vectors, on the host."""
    return jax.tree.map(lambda *leaves: np.array([np.asarray(leaf) for leaf in leaves]), *trees)


@jax.jit
def _extract(state: TrainState, lane: Array | int) -> TrainState:
    extracted: TrainState = jax.tree.map(lambda x: x[lane], state)
    return extracted


@partial(jax.jit, donate_argnums=0)
def _insert(state: TrainState, of_lane: TrainState, lane: Array | int) -> TrainState:
    inserted: TrainState = jax.tree.map(lambda x, y: x.at[lane].set(y), state, of_lane)
    return inserted
