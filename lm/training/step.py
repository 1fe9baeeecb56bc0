"""One training step, a pure function: (state, numbers, batch, randomness) -> (state, metrics).

B batch, T time.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array
from jax.typing import ArrayLike

from lm.backend.data_parallel import all_reduce, shard
from lm.config.schema import LossConfig
from lm.data.batches import Batch
from lm.losses.activation_penalties import activation, temporal_activation
from lm.losses.candidate_sampler import Candidates
from lm.losses.sampled import sampled_loss
from lm.model.dropout import Dropout
from lm.model.language_model import Activations, LanguageModel
from lm.model.types import Carry, Params, is_tied
from lm.optim.averaging import update_average, update_trigger
from lm.optim.lazy_rows import ParamsAndOptState, RowIndex, flush_rows, gather_rows, scatter_rows
from lm.optim.optimizer import Hyperparameters, build_optimizer
from lm.training.metrics import StepMetrics, step_metrics
from lm.training.randomness import StepRandomness
from lm.training.state import StepSpec, TrainState

Forward = Callable[..., tuple[Activations, Any]]
"""Has a model read words, as `LanguageModel.activations` does."""


class StepBatch(NamedTuple):
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
    spec: StepSpec,
    params: Params,
    carry: tuple[Carry, ...],
    reading: StepBatch,
    hyperparams: Hyperparameters,
    dropout_key: Array,
    read: Forward = LanguageModel.activations,
) -> tuple[Array, tuple[Array, Any]]:
    """What training minimises, `steps_summed` times the mean loss over the batch's targets and the
    penalties; with it that mean loss, and what reading gave besides: the state after the last word.
    """
    model = spec.merge(params)
    dropout = Dropout(hyperparams.dropout, dropout_key, spec.shards)
    seen, besides = read(model, reading.inputs_tb, carry, dropout)
    loss = _target_losses(spec, model, seen.features, reading).mean()
    minimised = loss
    if spec.loss.activation_penalty > 0:
        minimised += hyperparams.activation_penalty * activation(seen.dropped_outputs)
    if spec.loss.slowness_penalty > 0:
        minimised += hyperparams.slowness_penalty * temporal_activation(seen.outputs)
    if (steps := steps_summed(spec.loss, reading)) > 1:
        minimised *= steps
    return minimised, (loss, besides)


def _target_losses(
    spec: StepSpec, model: LanguageModel, features: Array, reading: StepBatch
) -> Array:
    """Of each target, f32[N]."""
    features = features.reshape(-1, features.shape[-1])[-len(reading.targets) :]
    if reading.candidates is None:
        return model.output.softmax_loss(features, reading.targets)
    sampled = model.output.sampled(
        targets=reading.targets,
        candidates=reading.candidates,
        rows=reading.outputs,
        vocab_size=spec.vocab_size,
    )
    remove_hits = spec.loss.remove_accidental_hits
    return sampled_loss(spec.loss.kind, features, sampled, remove_hits=remove_hits)


def steps_summed(loss: LossConfig, reading: StepBatch) -> int:
    """Time steps that the loss is the sum of; 1 where it is their mean."""
    if loss.over_time == "mean":
        return 1
    return len(reading.targets) // reading.inputs_tb.shape[1]  # 1 with `predict=last`


def step_batch(batch: Batch, randomness: StepRandomness) -> StepBatch:
    """A batch with the candidates that its loss looks at."""
    targets, candidates = batch.targets.reshape(-1), randomness.candidates
    outputs = targets if candidates is None else jnp.concatenate([targets, candidates.ids])
    return StepBatch(batch.inputs_tb, targets, candidates, outputs)


def touched_words(params: Params, reading: StepBatch) -> dict[str, Array]:
    """The words whose rows a batch needs, for each table: those that are read, then those that are
    compared with, of which tied weights are one table."""
    words = {"embedding": reading.inputs_tb.reshape(-1), "output": reading.outputs}
    if is_tied(params):
        return dict.fromkeys(words, jnp.concatenate(list(words.values())))
    return words


def relocated(reading: StepBatch, places: dict[str, RowIndex]) -> StepBatch:
    """The batch as a model sees it whose tables have the rows of `touched_words` alone."""
    inputs_tb, outputs = reading.inputs_tb, reading.outputs
    read = places["embedding"].place[: inputs_tb.size].reshape(inputs_tb.shape)
    compared = places["output"].place[-len(outputs) :]
    return reading._replace(inputs_tb=read, outputs=compared)


def shard_of(reading: StepBatch, shards: int) -> StepBatch:
    """What this device reads of a batch."""
    if shards == 1:
        return reading
    inputs_tb, targets, candidates, outputs = reading
    streams = inputs_tb.shape[1]

    def of_targets(x: Array) -> Array:
        return shard(x.reshape(-1, streams), shards, axis=1).reshape(-1)

    count = len(targets)
    outputs = jnp.concatenate([of_targets(outputs[:count]), outputs[count:]])
    return StepBatch(shard(inputs_tb, shards, axis=1), of_targets(targets), candidates, outputs)


def train_step(
    spec: StepSpec,
    state: TrainState,
    hyperparams: Hyperparameters,
    batch: Batch,
    randomness: StepRandomness,
) -> tuple[TrainState, StepMetrics]:
    """Gradient of the batch's loss, clipped, and one update."""
    reading = step_batch(batch, randomness)
    tables, updates = ParamsAndOptState(state.params, state.optimizer), state.updates
    rows = tables
    if updates:
        words = touched_words(state.params, reading)
        rows, updates, places = gather_rows(
            spec.optimizer, hyperparams, tables, updates, state.step, words
        )
        reading = relocated(reading, places)
    carry = jax.tree.map(lambda x: shard(x, spec.shards, axis=0), state.carry)
    (_, (loss, carry)), grads = jax.value_and_grad(batch_loss, argnums=1, has_aux=True)(
        spec,
        rows.params,
        carry,
        shard_of(reading, spec.shards),
        hyperparams,
        randomness.dropout_key,
    )
    (loss, grads), carry = all_reduce((loss, grads), carry, spec.shards)
    metrics = step_metrics(loss, optax.tree.norm(grads), hyperparams.clip_norm)
    moves, optimizer = build_optimizer(spec.optimizer, hyperparams).update(
        grads, rows.optimizer, rows.params
    )
    rows = ParamsAndOptState(optax.apply_updates(rows.params, moves), optimizer)
    params, optimizer = scatter_rows(tables, rows, places) if updates else rows
    average = None if state.average is None else update_average(state.average, params)
    return TrainState(params, optimizer, carry, updates, state.step + 1, average), metrics


def flush(
    spec: StepSpec, state: TrainState, hyperparams: Hyperparameters, due: Array
) -> TrainState:
    """Bring rows that no step has touched up to date, before anything else looks at them.

    Args:
      spec: of the program.
      state: after steps with these hyperparameters.
      hyperparams: the hyperparameters.
      due: bool[]; nothing changes where it is false.
    """
    if not state.updates:
        return state
    tables = ParamsAndOptState(state.params, state.optimizer)
    step = jnp.where(due, state.step, 0)
    tables, updates = flush_rows(spec.optimizer, hyperparams, tables, state.updates, step)
    return state._replace(params=tables.params, optimizer=tables.optimizer, updates=updates)


def record_validation_loss(state: TrainState, loss: ArrayLike, due: ArrayLike = True) -> TrainState:
    """Let an epoch's validation loss decide whether averaging begins; as
    `lm.optim.averaging.update_trigger`."""
    if state.average is None:
        return state
    history = update_trigger(
        state.average.history, jnp.asarray(loss, jnp.float32), jnp.asarray(due)
    )
    return state._replace(average=state.average._replace(history=history))
