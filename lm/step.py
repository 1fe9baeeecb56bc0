"""One training step, and a compiled run of many.

A step is a pure function (state, hyperparameters, batch, key) -> (state, metrics). B batch, T time.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array, lax

from lm.cells import Carry
from lm.config import LossConfig, OptimizerConfig, TrainConfig
from lm.data.batches import Batch, cut_sliding, cut_touching
from lm.data.windows import windows_in_stream
from lm.losses import Shortlist, sampled_loss, softmax_loss
from lm.model import LanguageModel
from lm.optimizer import Hyperparameters, build_optimizer
from lm.rows import Params, Tables, Updates, borrow, give_back, settle_rows
from lm.sampler import Candidates, sample_log_uniform

Merge = Callable[[Params], LanguageModel]


class Recipe(NamedTuple):
    """What a step does that is not a number: fixed when it is compiled."""

    merge: Merge
    """Puts parameters into the model's structure."""
    loss: LossConfig
    optimizer: OptimizerConfig
    train: TrainConfig
    has_dropout: bool
    vocab_size: int


class TrainState(NamedTuple):
    """All that training changes; a checkpoint holds exactly this."""

    params: Params
    optimizer: optax.OptState
    carry: tuple[Carry, ...]
    updates: Updates
    """Of tables whose rows may lag behind between two calls of `settle`."""
    step: Array
    """i32[]: updates made so far."""


class StepMetrics(NamedTuple):
    """Of one step; or, summed, of several."""

    loss: Array
    """Training loss in nats per target."""
    grad_norm: Array
    """Global norm of the gradient before clipping."""


class Totals(NamedTuple):
    """What one call of `train_steps` has seen."""

    steps: Array
    sums: StepMetrics
    finite: Array
    """bool[]: whether every loss and gradient was; the first that is not ends the call."""


class Reading(NamedTuple):
    """A batch as the model sees it, whose tables may have but some of their rows."""

    inputs_tb: Array
    """Rows of the embedding."""
    targets: Array
    """i32[N]: words."""
    candidates: Candidates | None
    """Words; None: the loss looks at all of them."""
    outputs: Array
    """i32[N + S]: rows of the output layer for targets and candidates."""


def batch_loss(
    recipe: Recipe,
    params: Params,
    carry: tuple[Carry, ...],
    reading: Reading,
    dropout: tuple[Array, Array],
) -> tuple[Array, tuple[Carry, ...]]:
    """Mean training loss over a batch's targets, and the state after its last word."""
    model = recipe.merge(params)
    features, carry = model(reading.inputs_tb, carry, dropout if recipe.has_dropout else None)
    features = features.reshape(-1, features.shape[-1])[-len(reading.targets) :]
    weight, bias = model.output.weight[...], model.output.bias[...]
    if reading.candidates is None:
        return softmax_loss(features, weight, bias, reading.targets).mean(), carry
    rows = weight[reading.outputs], bias[reading.outputs]
    words = Shortlist(reading.targets, reading.candidates, *rows, recipe.vocab_size)
    remove_hits = recipe.loss.remove_accidental_hits
    losses = sampled_loss(recipe.loss.kind, features, words, remove_hits=remove_hits)
    return losses.mean(), carry


def train_step(
    recipe: Recipe, state: TrainState, values: Hyperparameters, batch: Batch, key: Array
) -> tuple[TrainState, StepMetrics]:
    """Gradient of the batch's loss, clipped, and one update."""
    dropout_key, candidates_key = jax.random.split(key)
    candidates = None
    if recipe.loss.kind != "softmax":
        candidates = sample_log_uniform(candidates_key, recipe.loss.samples, recipe.vocab_size)
    targets = batch.targets.reshape(-1)
    outputs = targets if candidates is None else jnp.concatenate([targets, candidates.ids])
    words = {"embedding": batch.inputs_tb.reshape(-1), "output": outputs}
    tables, updates = Tables(state.params, state.optimizer), state.updates
    rows = tables
    if updates:
        rows, updates, places = borrow(recipe.optimizer, values, tables, updates, state.step, words)
        words = {name: place.place for name, place in places.items()}
    inputs_tb = words["embedding"].reshape(batch.inputs_tb.shape)
    reading = Reading(inputs_tb, targets, candidates, words["output"])
    (loss, carry), grads = jax.value_and_grad(batch_loss, argnums=1, has_aux=True)(
        recipe, rows.params, state.carry, reading, (values.dropout, dropout_key)
    )
    metrics = StepMetrics(loss, optax.tree.norm(grads))
    moves, optimizer = build_optimizer(recipe.optimizer, values).update(
        grads, rows.optimizer, rows.params
    )
    rows = Tables(optax.apply_updates(rows.params, moves), optimizer)
    params, optimizer = give_back(tables, rows, places) if updates else rows
    return TrainState(params, optimizer, carry, updates, state.step + 1), metrics


def settle(recipe: Recipe, state: TrainState, values: Hyperparameters, due: Array) -> TrainState:
    """Bring rows that no step has touched up to date, before anything else looks at them.

    Args:
      recipe: of the program.
      state: after steps with these hyperparameters.
      values: the hyperparameters.
      due: bool[]; nothing changes where it is false.
    """
    if not state.updates:
        return state
    tables = Tables(state.params, state.optimizer)
    step = jnp.where(due, state.step, 0)
    tables, updates = settle_rows(recipe.optimizer, values, tables, state.updates, step)
    return state._replace(params=tables.params, optimizer=tables.optimizer, updates=updates)


def train_steps(
    recipe: Recipe,
    state: TrainState,
    values: Hyperparameters,
    streams_lb: Array,
    key: Array,
    steps: Array,
) -> tuple[TrainState, Totals]:
    """Take `steps` steps within one epoch.

    A while loop rather than a scan: its number of steps is an argument, so that an epoch's last,
    shorter call needs no second compilation, and it ends at the first loss that is not finite.
    """
    per_epoch = windows_in_stream(streams_lb.shape[0], recipe.train)
    length = recipe.train.sequence_length
    order_key, step_key = jax.random.split(key)
    if recipe.train.predict == "last":
        epoch_key = jax.random.fold_in(order_key, state.step // per_epoch)
        starts = jax.random.permutation(epoch_key, per_epoch)

    def body(loop: tuple[TrainState, Totals]) -> tuple[TrainState, Totals]:
        state, totals = loop
        index = state.step % per_epoch
        if recipe.train.predict == "last":
            batch, forget = cut_sliding(streams_lb, starts[index], length), jnp.bool_(True)
        else:
            batch, forget = cut_touching(streams_lb, index, length), index == 0
        carry = jax.tree.map(lambda x: jnp.where(forget, 0.0, x), state.carry)
        key = jax.random.fold_in(step_key, state.step)
        state, metrics = train_step(recipe, state._replace(carry=carry), values, batch, key)
        sums = jax.tree.map(jnp.add, totals.sums, metrics)
        finite = jnp.isfinite(metrics.loss) & jnp.isfinite(metrics.grad_norm)
        return state, Totals(totals.steps + 1, sums, finite)

    def unfinished(loop: tuple[TrainState, Totals]) -> Array:
        return (loop[1].steps < steps) & loop[1].finite

    zero = StepMetrics(jnp.float32(0), jnp.float32(0))
    return lax.while_loop(unfinished, body, (state, Totals(jnp.int32(0), zero, jnp.bool_(True))))
