"""The state before the first update.

It is made on the host: nothing is compiled for the shapes of a model, and models of a grid differ
in little else.
"""

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from lm.averaging import start_average
from lm.cells import Carry
from lm.initializers import Scales
from lm.model import LanguageModel
from lm.optimizer import build_optimizer, no_values
from lm.rows import Params, can_lag, start_lagging
from lm.step import Recipe, TrainState

T = TypeVar("T")

Make = Callable[[Array, Scales], LanguageModel]
"""(key, scales) -> a model with its first parameters."""


def state_shapes(recipe: Recipe, make: Make, start: Scales) -> TrainState:
    """Shapes and types of a training state: `jax.ShapeDtypeStruct` in place of its arrays."""

    def begin(key: Array) -> TrainState:
        model = make(key, start)
        carry = model.zero_carry(recipe.train.batch_size)
        return _begin(recipe, _parameters(model), carry, recipe.vocab_size)

    shapes: TrainState = jax.eval_shape(begin, jax.random.key(0))
    return shapes


def start_state(recipe: Recipe, shapes: TrainState, model: LanguageModel) -> TrainState:
    """The state before the first update of a model's parameters.

    All arrays but the parameters hold one number each: it is found for arrays of one element.
    """

    def small(tree: T) -> T:
        found: T = jax.tree.map(lambda x: np.zeros((1,) * x.ndim, x.dtype), tree)
        return found

    numbers = _begin(recipe, small(shapes.params), small(shapes.carry), vocab_size=1)
    filled = jax.tree.map(lambda one, like: np.broadcast_to(one, like.shape), numbers, shapes)
    state: TrainState = jax.device_put(filled._replace(params=_parameters(model)))
    return state


def _parameters(model: LanguageModel) -> Params:
    return nnx.to_pure_dict(nnx.state(model, nnx.Param))


def _begin(recipe: Recipe, params: Params, carry: tuple[Carry, ...], vocab_size: int) -> TrainState:
    patience = recipe.optimizer.average_patience
    return TrainState(
        params,
        build_optimizer(recipe.optimizer, no_values()).init(params),
        carry,
        start_lagging(vocab_size) if can_lag(recipe.loss, recipe.optimizer) else {},
        jnp.int32(0),
        None if patience is None else start_average(params, patience),
    )
