"""One training step, a pure function: (state, numbers, batch, draws) -> (state, metrics).

B batch, T time.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array
from jax.typing import ArrayLike

from lm import penalties
from lm.averaging import Average, averaged, include, judge
from lm.cells import Carry
from lm.data.batches import Batch
from lm.devices import prefers_eigen
from lm.draws import Draws
from lm.dropout import Dropout
from lm.losses import Shortlist, sampled_loss, softmax_loss
from lm.model import LanguageModel, Read
from lm.optimizer import Hyperparameters, build_optimizer
from lm.options import LossConfig, OptimizerConfig, TrainConfig
from lm.rows import Params, Places, Tables, Updates, borrow, give_back, is_tied, settle_rows
from lm.sampler import Candidates
from lm.sharding import combined, first_replica, shard

Merge = Callable[[Params], LanguageModel]
HaveRead = Callable[..., tuple[Read, Any]]
"""Has a model read words, as `LanguageModel.read` does."""


class Recipe(NamedTuple):
    """What a step does that is not a number: fixed when it is compiled."""

    merge: Merge
    """Puts parameters into the model's structure."""
    loss: LossConfig
    optimizer: OptimizerConfig
    train: TrainConfig
    vocab_size: int
    shards: int = 1
    """Devices that the streams of a batch are sharded over; see `lm.sharding`."""


class TrainState(NamedTuple):
    """All that training changes; a checkpoint holds exactly this."""

    params: Params
    optimizer: optax.OptState
    carry: tuple[Carry, ...]
    updates: Updates
    """Of tables whose rows may lag behind between two calls of `settle`."""
    step: Array
    """i32[]: updates made so far."""
    average: Average | None = None
    """None: there never is one."""


class StepMetrics(NamedTuple):
    """Of one step; or, summed, of several."""

    loss: Array
    """Training loss in nats per target, without penalties."""
    grad_norm: Array
    """Global norm of the gradient, that of the penalties included, before clipping."""
    grad_norm_clipped: Array
    """And after it."""
    clipped: Array
    """1 where clipping made it smaller, else 0."""


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
    values: Hyperparameters,
    dropout_key: Array,
    read: HaveRead = LanguageModel.read,
) -> tuple[Array, tuple[Array, Any]]:
    """What training minimises, `steps_summed` times the mean loss over the batch's targets and the
    penalties; with it that mean loss, and what reading gave besides: the state after the last word.
    """
    model = recipe.merge(params)
    dropout = Dropout(values.dropout, dropout_key, recipe.shards)
    seen, besides = read(model, reading.inputs_tb, carry, dropout)
    loss = _target_losses(recipe, model, seen.features, reading).mean()
    minimised = loss
    if recipe.loss.activation_penalty > 0:
        minimised += values.activation_penalty * penalties.activation(seen.dropped)
    if recipe.loss.slowness_penalty > 0:
        minimised += values.slowness_penalty * penalties.slowness(seen.outputs)
    if (steps := steps_summed(recipe.loss, reading)) > 1:
        minimised *= steps
    return minimised, (loss, besides)


def _target_losses(
    recipe: Recipe, model: LanguageModel, features: Array, reading: Reading
) -> Array:
    """Of each target, f32[N]."""
    features = features.reshape(-1, features.shape[-1])[-len(reading.targets) :]
    weight, bias = model.output.weight[...], model.output.bias[...]
    if reading.candidates is None:
        by_words = prefers_eigen()
        return softmax_loss(features, weight, bias, reading.targets, by_words=by_words)
    rows = weight[reading.outputs], bias[reading.outputs]
    words = Shortlist(reading.targets, reading.candidates, *rows, recipe.vocab_size)
    remove_hits = recipe.loss.remove_accidental_hits
    return sampled_loss(recipe.loss.kind, features, words, remove_hits=remove_hits)


def steps_summed(loss: LossConfig, reading: Reading) -> int:
    """Time steps that the loss is the sum of; 1 where it is their mean."""
    if loss.over_time == "mean":
        return 1
    return len(reading.targets) // reading.inputs_tb.shape[1]  # 1 with `predict=last`


def reading_of(batch: Batch, draws: Draws) -> Reading:
    """A batch with the candidates that its loss looks at."""
    targets, candidates = batch.targets.reshape(-1), draws.candidates
    outputs = targets if candidates is None else jnp.concatenate([targets, candidates.ids])
    return Reading(batch.inputs_tb, targets, candidates, outputs)


def touched(params: Params, reading: Reading) -> dict[str, Array]:
    """The words whose rows a batch needs, for each table: those that are read, then those that are
    compared with, of which tied weights are one table."""
    words = {"embedding": reading.inputs_tb.reshape(-1), "output": reading.outputs}
    if is_tied(params):
        return dict.fromkeys(words, jnp.concatenate(list(words.values())))
    return words


def relocated(reading: Reading, places: dict[str, Places]) -> Reading:
    """The batch as a model sees it whose tables have the rows of `touched` alone."""
    inputs_tb, outputs = reading.inputs_tb, reading.outputs
    read = places["embedding"].place[: inputs_tb.size].reshape(inputs_tb.shape)
    compared = places["output"].place[-len(outputs) :]
    return reading._replace(inputs_tb=read, outputs=compared)


def shard_of(reading: Reading, shards: int) -> Reading:
    """What this device reads of a batch."""
    if shards == 1:
        return reading
    inputs_tb, targets, candidates, outputs = reading
    streams = inputs_tb.shape[1]

    def of_targets(x: Array) -> Array:
        return shard(x.reshape(-1, streams), shards, axis=1).reshape(-1)

    count = len(targets)
    outputs = jnp.concatenate([of_targets(outputs[:count]), outputs[count:]])
    return Reading(shard(inputs_tb, shards, axis=1), of_targets(targets), candidates, outputs)


def measure(loss: Array, grad_norm: Array, clip_norm: Array) -> StepMetrics:
    """What a step's loss and gradient say."""
    clipped = (grad_norm > clip_norm).astype(jnp.float32)
    return StepMetrics(loss, grad_norm, jnp.minimum(grad_norm, clip_norm), clipped)


def train_step(
    recipe: Recipe, state: TrainState, values: Hyperparameters, batch: Batch, draws: Draws
) -> tuple[TrainState, StepMetrics]:
    """Gradient of the batch's loss, clipped, and one update."""
    reading = reading_of(batch, draws)
    tables, updates = Tables(state.params, state.optimizer), state.updates
    rows = tables
    if updates:
        words = touched(state.params, reading)
        rows, updates, places = borrow(recipe.optimizer, values, tables, updates, state.step, words)
        reading = relocated(reading, places)
    carry = jax.tree.map(lambda x: shard(x, recipe.shards, axis=0), state.carry)
    (_, (loss, carry)), grads = jax.value_and_grad(batch_loss, argnums=1, has_aux=True)(
        recipe, rows.params, carry, shard_of(reading, recipe.shards), values, draws.dropout_key
    )
    (loss, grads), carry = combined((loss, grads), carry, recipe.shards)
    metrics = measure(loss, optax.tree.norm(grads), values.clip_norm)
    moves, optimizer = build_optimizer(recipe.optimizer, values).update(
        grads, rows.optimizer, rows.params
    )
    rows = Tables(optax.apply_updates(rows.params, moves), optimizer)
    params, optimizer = give_back(tables, rows, places) if updates else rows
    average = None if state.average is None else include(state.average, params)
    return TrainState(params, optimizer, carry, updates, state.step + 1, average), metrics


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


def evaluated_parameters(state: TrainState) -> Params:
    """What a model is evaluated, sampled and looked at by: the average, once there is one.

    The arrays of the state may have a first axis of lanes.
    """
    params, average = first_replica((state.params, state.average))
    return params if average is None else averaged(average, params)


def judged(state: TrainState, loss: ArrayLike, due: ArrayLike = True) -> TrainState:
    """Let an epoch's validation loss decide whether averaging begins; as `lm.averaging.judge`."""
    if state.average is None:
        return state
    history = judge(state.average.history, jnp.asarray(loss, jnp.float32), jnp.asarray(due))
    return state._replace(average=state.average._replace(history=history))
