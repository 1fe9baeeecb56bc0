"""A compiled run of many training steps, of one trial or of several together.

Trials of equal shapes can take their steps together, each as a lane of the arrays.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from lm.data.batches import Batch, cut_sliding, cut_touching
from lm.data.windows import windows_in_stream
from lm.optimizer import Hyperparameters
from lm.step import Reading, Recipe, StepMetrics, TrainState, draw, settle, train_step


class Totals(NamedTuple):
    """What a trial has seen since it began to count."""

    steps: Array
    """i32[]"""
    sums: StepMetrics
    finite: Array
    """bool[]: whether every loss and gradient was; nothing is counted after the first that is
    not."""


def train_steps(
    recipe: Recipe,
    state: TrainState,
    values: Hyperparameters,
    streams_lb: Array,
    key: Array,
    steps: Array,
) -> tuple[TrainState, Totals]:
    """Take `steps` steps within one epoch; the first loss that is not finite ends them.

    A while loop rather than a scan: its number of steps is an argument, so that an epoch's last,
    shorter call needs no second compilation.
    """
    step_key, starts = plan(recipe, streams_lb, key, state.step)

    def body(loop: tuple[TrainState, Totals]) -> tuple[TrainState, Totals]:
        return _step_and_count(recipe, streams_lb, *loop, values, step_key, starts)

    def unfinished(loop: tuple[TrainState, Totals]) -> Array:
        return (loop[1].steps < steps) & loop[1].finite

    return lax.while_loop(unfinished, body, (state, no_totals()))


def train_lanes(
    recipe: Recipe,
    state: TrainState,
    totals: Totals,
    values: Hyperparameters,
    streams_lb: Array,
    keys: Array,
    steps: Array,
) -> tuple[TrainState, Totals]:
    """Take `steps` steps with each of several trials, the lanes; none may pass its epoch's end.

    All but `streams_lb` and `steps` have a first axis of lanes. A lane's totals go on from those
    that come in, so that they do not depend on how its steps are cut into calls. One whose totals
    are not finite is stepped, too, but not counted; where no other is left the call ends. The loop
    is around the vmap: inside, it would choose between the old and the new state at every step.
    """
    step_keys, starts = jax.vmap(partial(plan, recipe, streams_lb))(keys, state.step)
    step = jax.vmap(partial(_step_and_count, recipe, streams_lb))

    def body(loop: tuple[TrainState, Totals, Array]) -> tuple[TrainState, Totals, Array]:
        state, totals, taken = loop
        return *step(state, totals, values, step_keys, starts), taken + 1

    def unfinished(loop: tuple[TrainState, Totals, Array]) -> Array:
        return (loop[2] < steps) & loop[1].finite.any()

    state, totals, _ = lax.while_loop(unfinished, body, (state, totals, jnp.int32(0)))
    return state, totals


def no_totals() -> Totals:
    """Before the first step."""
    sums = StepMetrics(*(jnp.float32(0) for _ in StepMetrics._fields))
    return Totals(jnp.int32(0), sums, jnp.bool_(True))


def plan(recipe: Recipe, streams_lb: Array, key: Array, step: Array) -> tuple[Array, Array | None]:
    """The key that steps fold their number into, and for `predict=last` the epoch's windows."""
    order_key, step_key = jax.random.split(key)
    if recipe.train.predict == "all":
        return step_key, None
    per_epoch = windows_in_stream(streams_lb.shape[0], recipe.train)
    epoch_key = jax.random.fold_in(order_key, step // per_epoch)
    return step_key, jax.random.permutation(epoch_key, per_epoch)


def next_batch(
    recipe: Recipe, streams_lb: Array, state: TrainState, step_key: Array, starts: Array | None
) -> tuple[TrainState, Batch, Array]:
    """The batch of the next step, the state as it reads that batch, and the step's key.

    Args:
      step_key, starts: the epoch's plan.
    """
    length = recipe.train.sequence_length
    index = state.step % windows_in_stream(streams_lb.shape[0], recipe.train)
    if starts is None:
        batch, forget = cut_touching(streams_lb, index, length), index == 0
    else:
        batch, forget = cut_sliding(streams_lb, starts[index], length), jnp.bool_(True)
    carry = jax.tree.map(lambda x: jnp.where(forget, 0.0, x), state.carry)
    return state._replace(carry=carry), batch, jax.random.fold_in(step_key, state.step)


def look_ahead(
    recipe: Recipe, state: TrainState, values: Hyperparameters, streams_lb: Array, key: Array
) -> tuple[TrainState, Reading, Array]:
    """What the next step is about to read, for who looks inside without taking it.

    Args:
      recipe: of the program.
      state: between two steps; its rows may lag behind.
      values, streams_lb, key: what the step would get.

    Returns:
      The state as it reads that batch, the batch, and the key of its dropout.
    """
    state = settle(recipe, state, values, jnp.bool_(True))
    state, batch, step_key = next_batch(
        recipe, streams_lb, state, *plan(recipe, streams_lb, key, state.step)
    )
    return state, *draw(recipe, batch, step_key)


def _step_and_count(
    recipe: Recipe,
    streams_lb: Array,
    state: TrainState,
    totals: Totals,
    values: Hyperparameters,
    step_key: Array,
    starts: Array | None,
) -> tuple[TrainState, Totals]:
    """Cut the batch, take the step, and add to the totals while they are finite."""
    state, batch, key = next_batch(recipe, streams_lb, state, step_key, starts)
    state, metrics = train_step(recipe, state, values, batch, key)
    counts = totals.finite
    sums = jax.tree.map(lambda x, y: jnp.where(counts, x + y, x), totals.sums, metrics)
    finite = counts & jnp.isfinite(metrics.loss) & jnp.isfinite(metrics.grad_norm)
    return state, Totals(totals.steps + counts, sums, finite)
