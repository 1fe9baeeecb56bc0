"""The training state: what a step changes, and how it begins.

The first state is made on the host: nothing is compiled for the shapes of a model, and models of a
grid differ in little else.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array

from lm.backend.data_parallel import Parallelism, SingleDevice, first_replica
from lm.config import LossConfig, ModelConfig, OptimizerConfig, TrainConfig
from lm.model.initializers import InitScales
from lm.model.language_model import LanguageModel
from lm.model.types import Carry, Params
from lm.optim.averaging import Average, averaged_params, init_average
from lm.optim.lazy_rows import LastUpdated, RowUpdates, Tables, row_updates
from lm.optim.optimizer import build_optimizer, zero_hyperparameters

T = TypeVar("T")

Merge = Callable[[Params], LanguageModel]
"""Puts parameters into a model's structure."""


class StepSpec(NamedTuple):
    """Structure and choices of a training step: all that is fixed when it is compiled."""

    merge: Merge
    model: ModelConfig
    loss: LossConfig
    optimizer: OptimizerConfig
    train: TrainConfig
    vocab_size: int
    parallel: Parallelism = SingleDevice()
    """How many devices share the streams of a batch."""

    @property
    def rows(self) -> RowUpdates:
        """Form of update that decides which rows of the tables a step reads and writes."""
        return row_updates(self.loss, self.optimizer)


class TrainState(NamedTuple):
    """All that training changes."""

    params: Params
    opt_state: optax.OptState
    carry: tuple[Carry, ...]
    """State of the recurrence after the last batch, one carry a layer."""
    last_updated: LastUpdated
    """Empty where all rows are always up to date."""
    step: Array
    """i32[]: updates made so far."""
    average: Average | None = None
    """None: parameters are never averaged."""

    @property
    def tables(self) -> Tables:
        """Parameters, optimizer state and row counts, which an update reads and writes."""
        return Tables(params=self.params, opt_state=self.opt_state, last_updated=self.last_updated)


Make = Callable[[Array, InitScales], LanguageModel]
"""(key, scales) -> a model with its first parameters."""


def state_shapes(spec: StepSpec, make: Make, start: InitScales) -> TrainState:
    """Shapes and types of a training state: `jax.ShapeDtypeStruct` in place of its arrays."""

    def begin(key: Array) -> TrainState:
        model = make(key, start)
        carry = model.zero_carry(spec.train.streams)
        return _init_arrays(spec, _params_of(model), carry, spec.vocab_size)

    shapes: TrainState = jax.eval_shape(begin, jax.random.key(0))
    return shapes


def init_state(spec: StepSpec, shapes: TrainState, model: LanguageModel) -> TrainState:
    """The state before the first update of a model's parameters.

    All arrays but the parameters hold one number each: it is found for arrays of one element.
    """

    def small(tree: T) -> T:
        found: T = jax.tree.map(lambda x: np.zeros((1,) * x.ndim, x.dtype), tree)
        return found

    numbers = _init_arrays(spec, small(shapes.params), small(shapes.carry), vocab_size=1)
    filled = jax.tree.map(lambda one, like: np.broadcast_to(one, like.shape), numbers, shapes)
    state: TrainState = jax.device_put(filled._replace(params=_params_of(model)))
    return state


def _params_of(model: LanguageModel) -> Params:
    return nnx.to_pure_dict(nnx.state(model, nnx.Param))


def _init_arrays(
    spec: StepSpec, params: Params, carry: tuple[Carry, ...], vocab_size: int
) -> TrainState:
    patience = spec.optimizer.average_patience
    return TrainState(
        params=params,
        opt_state=build_optimizer(spec.optimizer, zero_hyperparameters()).init(params),
        carry=carry,
        last_updated=spec.rows.init_last_updated(vocab_size),
        step=jnp.int32(0),
        average=None if patience is None else init_average(params, patience),
    )


def evaluated_params(state: TrainState) -> Params:
    """Parameters that a model is evaluated and sampled with: the average, once there is one.

    The arrays of the state may have a first axis of lanes.
    """
    params, average = first_replica((state.params, state.average))
    return params if average is None else averaged_params(average, params)


def count_parameters(params: Params) -> int:
    """Numbers that training changes."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))
