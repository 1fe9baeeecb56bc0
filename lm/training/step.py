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

from lm.backend.data_parallel import combined, shard
from lm.backend.devices import prefers_eigen
from lm.config.schema import LossConfig
from lm.data.batches import Batch
from lm.losses import activation_penalties
from lm.losses.candidate_sampler import Candidates
from lm.losses.sampled import Shortlist, sampled_loss
from lm.losses.softmax import softmax_loss
from lm.model.dropout import Dropout
from lm.model.language_model import LanguageModel, Read
from lm.model.types import Carry, Params, is_tied
from lm.optim.averaging import include, judge
from lm.optim.lazy_rows import Places, Tables, borrow, give_back, settle_rows
from lm.optim.optimizer import Hyperparameters, build_optimizer
from lm.training.metrics import StepMetrics, measure
from lm.training.randomness import Draws
from lm.training.state import Recipe, TrainState

HaveRead = Callable[..., tuple[Read, Any]]
"""Has a model read words, as `LanguageModel.read` does."""


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
        minimised += values.activation_penalty * activation_penalties.activation(seen.dropped)
    if recipe.loss.slowness_penalty > 0:
        minimised += values.slowness_penalty * activation_penalties.slowness(seen.outputs)
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


def judged(state: TrainState, loss: ArrayLike, due: ArrayLike = True) -> TrainState:
    """Let an epoch's validation loss decide whether averaging begins; as
    `lm.optim.averaging.judge`."""
    if state.average is None:
        return state
    history = judge(state.average.history, jnp.asarray(loss, jnp.float32), jnp.asarray(due))
    return state._replace(average=state.average._replace(history=history))
