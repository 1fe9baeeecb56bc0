"""A compiled run of many training steps, of one trial or of several together.

Trials of equal shapes can take their steps together, each as a lane of the arrays.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import Array, lax

from lm.data.batches import Batch, sliding_window, stateful_window
from lm.data.windows import windows_in_stream
from lm.optim.optimizer import Hyperparameters
from lm.training.metrics import Totals
from lm.training.randomness import Draws
from lm.training.state import Recipe, TrainState
from lm.training.step import Reading, reading_of, settle, train_step


def train_steps(
    recipe: Recipe,
    state: TrainState,
    totals: Totals,
    values: Hyperparameters,
    streams_lb: Array,
    draws: Draws,
    steps: Array,
) -> tuple[TrainState, Totals]:
    """Take `steps` steps within one epoch; the first loss that is not finite ends them.

    A while loop rather than a scan: its number of steps is an argument, so that an epoch's last,
    shorter call needs no second compilation.

    Args:
      recipe: of the program.
      state: before the steps.
      totals: that theirs are added to.
      values: hyperparameters.
      streams_lb: the text.
      draws: a row for each step.
      steps: i32[].
    """
    before = totals.steps

    def body(loop: tuple[TrainState, Totals]) -> tuple[TrainState, Totals]:
        place = loop[1].steps - before
        row = jax.tree.map(
            lambda rows: lax.dynamic_index_in_dim(rows, place, keepdims=False), draws
        )
        return _step_and_count(recipe, streams_lb, *loop, values, row, place)

    def unfinished(loop: tuple[TrainState, Totals]) -> Array:
        return (loop[1].steps - before < steps) & loop[1].finite

    return lax.while_loop(unfinished, body, (state, totals))


def train_lanes(
    recipe: Recipe,
    state: TrainState,
    totals: Totals,
    values: Hyperparameters,
    streams_lb: Array,
    draws: Draws,
    steps: Array,
) -> tuple[TrainState, Totals]:
    """Take `steps` steps with each of several trials, the lanes; none may pass its epoch's end.

    All but `streams_lb` and `steps` have a first axis of lanes. A lane's totals go on from those
    that come in, so that they do not depend on how its steps are cut into calls. One whose totals
    are not finite is stepped, too, but not counted; where no other is left the call ends. The loop
    is around the vmap: inside, it would choose between the old and the new state at every step.
    """
    step = jax.vmap(partial(_step_and_count, recipe, streams_lb), in_axes=(0, 0, 0, 0, None))

    def body(loop: tuple[TrainState, Totals, Array]) -> tuple[TrainState, Totals, Array]:
        state, totals, taken = loop
        row = jax.tree.map(lambda rows: rows[:, taken], draws)
        return *step(state, totals, values, row, taken), taken + 1

    def unfinished(loop: tuple[TrainState, Totals, Array]) -> Array:
        return (loop[2] < steps) & loop[1].finite.any()

    state, totals, _ = lax.while_loop(unfinished, body, (state, totals, jnp.int32(0)))
    return state, totals


def next_batch(
    recipe: Recipe, streams_lb: Array, state: TrainState, draws: Draws
) -> tuple[TrainState, Batch]:
    """The batch of the next step, for which `draws` are, and the state as it reads that batch."""
    length = recipe.train.sequence_length
    if draws.start is None:
        index = state.step % windows_in_stream(streams_lb.shape[0], recipe.train)
        batch, forget = stateful_window(streams_lb, index, length), index == 0
    else:
        batch, forget = sliding_window(streams_lb, draws.start, length), jnp.bool_(True)
    carry = jax.tree.map(lambda x: jnp.where(forget, 0.0, x), state.carry)
    return state._replace(carry=carry), batch


def look_ahead(
    recipe: Recipe, state: TrainState, values: Hyperparameters, streams_lb: Array, draws: Draws
) -> tuple[TrainState, Reading, Array]:
    """What the next step is about to read, for who looks inside without taking it.

    Args:
      recipe: of the program.
      state: between two steps; its rows may lag behind.
      values, streams_lb: what the step would get.
      draws: for that step and, in further rows, any others.

    Returns:
      The state as it reads that batch, the batch, and the key of its dropout.
    """
    row: Draws = jax.tree.map(lambda rows: rows[0], draws)
    state = settle(recipe, state, values, jnp.bool_(True))
    state, batch = next_batch(recipe, streams_lb, state, row)
    return state, reading_of(batch, row), row.dropout_key


def _step_and_count(
    recipe: Recipe,
    streams_lb: Array,
    state: TrainState,
    totals: Totals,
    values: Hyperparameters,
    draws: Draws,
    place: Array,
) -> tuple[TrainState, Totals]:
    """Cut the batch, take the step, count it while the totals are finite; `place` is the step's
    among those of the call."""
    state, batch = next_batch(recipe, streams_lb, state, draws)
    state, metrics = train_step(recipe, state, values, batch, draws)
    counts = totals.finite
    finite = counts & jnp.isfinite(metrics.loss) & jnp.isfinite(metrics.grad_norm)
    updates = lax.dynamic_update_index_in_dim(totals.updates, jnp.stack(metrics), place, 0)
    return state, Totals(totals.steps + counts, finite, updates)
