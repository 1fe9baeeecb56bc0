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
from lm.training.randomness import StepRandomness
from lm.training.state import StepSpec, TrainState
from lm.training.step import StepBatch, flush, step_batch, train_step


def train_steps(
    spec: StepSpec,
    state: TrainState,
    totals: Totals,
    hyperparams: Hyperparameters,
    streams_lb: Array,
    randomness: StepRandomness,
    steps: Array,
) -> tuple[TrainState, Totals]:
    """Take `steps` steps within one epoch; the first loss that is not finite ends them.

    A while loop rather than a scan: its number of steps is an argument, so that an epoch's last,
    shorter call needs no second compilation.

    Args:
      spec: of the program.
      state: before the steps.
      totals: that theirs are added to.
      hyperparams: hyperparameters.
      streams_lb: the text.
      randomness: a row for each step.
      steps: i32[].
    """
    before = totals.steps

    def body(loop: tuple[TrainState, Totals]) -> tuple[TrainState, Totals]:
        place = loop[1].steps - before
        row = jax.tree.map(
            lambda rows: lax.dynamic_index_in_dim(rows, place, keepdims=False), randomness
        )
        return _counted_step(spec, streams_lb, *loop, hyperparams, row, place)

    def unfinished(loop: tuple[TrainState, Totals]) -> Array:
        return (loop[1].steps - before < steps) & loop[1].finite

    return lax.while_loop(unfinished, body, (state, totals))


def train_lanes(
    spec: StepSpec,
    state: TrainState,
    totals: Totals,
    hyperparams: Hyperparameters,
    streams_lb: Array,
    randomness: StepRandomness,
    steps: Array,
) -> tuple[TrainState, Totals]:
    """Take `steps` steps with each of several trials, the lanes; none may pass its epoch's end.

    All but `streams_lb` and `steps` have a first axis of lanes. A lane's totals go on from those
    that come in, so that they do not depend on how its steps are cut into calls. One whose totals
    are not finite is stepped, too, but not counted; where no other is left the call ends. The loop
    is around the vmap: inside, it would choose between the old and the new state at every step.
    """
    step = jax.vmap(partial(_counted_step, spec, streams_lb), in_axes=(0, 0, 0, 0, None))

    def body(loop: tuple[TrainState, Totals, Array]) -> tuple[TrainState, Totals, Array]:
        state, totals, taken = loop
        row = jax.tree.map(lambda rows: rows[:, taken], randomness)
        return *step(state, totals, hyperparams, row, taken), taken + 1

    def unfinished(loop: tuple[TrainState, Totals, Array]) -> Array:
        return (loop[2] < steps) & loop[1].finite.any()

    state, totals, _ = lax.while_loop(unfinished, body, (state, totals, jnp.int32(0)))
    return state, totals


def next_batch(
    spec: StepSpec, streams_lb: Array, state: TrainState, randomness: StepRandomness
) -> tuple[TrainState, Batch]:
    """The batch of the next step, for which `randomness` are, and the state as it reads that
    batch."""
    length = spec.train.sequence_length
    if randomness.start is None:
        index = state.step % windows_in_stream(streams_lb.shape[0], spec.train)
        batch, forget = stateful_window(streams_lb, index, length), index == 0
    else:
        batch, forget = sliding_window(streams_lb, randomness.start, length), jnp.bool_(True)
    carry = jax.tree.map(lambda x: jnp.where(forget, 0.0, x), state.carry)
    return state._replace(carry=carry), batch


def next_step_inputs(
    spec: StepSpec,
    state: TrainState,
    hyperparams: Hyperparameters,
    streams_lb: Array,
    randomness: StepRandomness,
) -> tuple[TrainState, StepBatch]:
    """Prepare what the next step reads, for callbacks that inspect it without taking it.

    Args:
      spec: as `train_step` takes it.
      state: between two steps; its rows may lag behind.
      hyperparams: those of the next step.
      streams_lb: i32[L, B], the training text.
      randomness: with a first axis of steps, of which the first is the next one.

    Returns:
      The state as the step reads it, all rows up to date; and its batch, with dropout.
    """
    row: StepRandomness = jax.tree.map(lambda rows: rows[0], randomness)
    state = flush(spec, state, hyperparams, jnp.bool_(True))
    state, batch = next_batch(spec, streams_lb, state, row)
    inputs = step_batch(batch, row.candidates)
    # The step draws its masks for the rows that it gathers, of which a word may be any.
    rows, index = spec.rows.gather(state.tables, hyperparams, state.step, inputs.touched_words)
    drawn = inputs.at_rows(index).with_dropout(spec, rows.params, hyperparams, row)
    return state, inputs._replace(dropout=drawn.dropout)


def _counted_step(
    spec: StepSpec,
    streams_lb: Array,
    state: TrainState,
    totals: Totals,
    hyperparams: Hyperparameters,
    randomness: StepRandomness,
    place: Array,
) -> tuple[TrainState, Totals]:
    """Cut the batch, take the step, count it while the totals are finite; `place` is the step's
    among those of the call."""
    state, batch = next_batch(spec, streams_lb, state, randomness)
    state, metrics = train_step(spec, state, hyperparams, batch, randomness)
    counts = totals.finite
    finite = counts & jnp.isfinite(metrics.loss) & jnp.isfinite(metrics.grad_norm)
    updates = lax.dynamic_update_index_in_dim(totals.updates, jnp.stack(metrics), place, 0)
    return state, Totals(totals.steps + counts, finite, updates)
