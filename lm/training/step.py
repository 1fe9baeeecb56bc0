"""One training step, a pure function: (state, hyperparams, batch, randomness) -> (state, metrics).

`train_step` reads from top to bottom: batch, loss and gradient, update, state. Two seams carry what
makes it fast: `spec.rows` (`lm.optim.lazy_rows`: which rows of the tables are read and written) and
`spec.parallel` (`lm.backend.data_parallel`: over how many devices the gradient is computed). With
`DenseRows` and `SingleDevice` the step is the plain one.

B batch, T time, V vocabulary, D features, S candidates of a sampled loss. Targets have the axes
[T, B]; with `predict=last` the window has one target a stream, [1, B].
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array
from jax.typing import ArrayLike

from lm.config import LossConfig
from lm.data.batches import Batch
from lm.losses.activation_penalties import activation, temporal_activation
from lm.losses.candidate_sampler import Candidates
from lm.losses.sampled import sampled_loss
from lm.model.dropout import NO_DROPOUT, DropoutMasks, draw_masks, stream_axes
from lm.model.language_model import Activations, LanguageModel
from lm.model.types import Carry, Params, is_tied
from lm.optim.averaging import update_average, update_trigger
from lm.optim.lazy_rows import RowIndex
from lm.optim.optimizer import Hyperparameters, build_optimizer
from lm.training.metrics import StepMetrics, step_metrics
from lm.training.randomness import StepRandomness
from lm.training.state import StepSpec, TrainState

Forward = Callable[..., tuple[Activations, Any]]
"""Has a model read words, as `LanguageModel.activations` does."""


def train_step(
    spec: StepSpec,
    state: TrainState,
    hyperparams: Hyperparameters,
    batch: Batch,
    randomness: StepRandomness,
) -> tuple[TrainState, StepMetrics]:
    """Make one update.

    Args:
      spec: what was fixed when the step was compiled.
      state: before the update.
      hyperparams: f32 scalars.
      batch: what is read and what is to be predicted.
      randomness: random numbers of this step.

    Returns:
      The state after the update, and what the batch's loss and gradient were.
    """
    hyperparams = hyperparams.at_update(state.step)

    # Batch, with the rows of the tables that it needs.
    inputs = step_batch(batch, randomness.candidates)
    rows, index = spec.rows.gather(state.tables, hyperparams, state.step, inputs.touched_words)
    inputs = inputs.at_rows(index).with_dropout(spec, rows.params, hyperparams, randomness)

    # Loss and gradient.
    loss_fn = partial(batch_loss, spec, hyperparams)
    loss, carry, grads = spec.parallel.value_and_grad(
        loss_fn, rows.params, state.carry, inputs, inputs.stream_axes()
    )
    metrics = step_metrics(loss, optax.tree.norm(grads), hyperparams.clip_norm)

    # Update.
    optimizer = build_optimizer(spec.optimizer, hyperparams)
    updates, opt_state = optimizer.update(grads, rows.opt_state, rows.params)
    params = optax.apply_updates(rows.params, updates)

    # State.
    rows = rows._replace(params=params, opt_state=opt_state)
    tables = spec.rows.scatter(state.tables, rows, index)
    average = None if state.average is None else update_average(state.average, tables.params)
    state = TrainState(**tables._asdict(), carry=carry, step=state.step + 1, average=average)
    return state, metrics


class StepBatch(NamedTuple):
    """A batch as the model reads it, whose tables may have but some of their rows."""

    inputs_tb: Array
    """i32[T, B]: rows of the embedding."""
    targets_tb: Array
    """i32[T or 1, B]: words."""
    target_rows_tb: Array
    """i32[T or 1, B]: rows of the output layer for the targets."""
    candidates: Candidates | None = None
    """Words that a sampled loss compares the targets with; None: it compares with all."""
    candidate_rows: Array | None = None
    """i32[S]: rows of the output layer for the candidates."""
    dropout: DropoutMasks = NO_DROPOUT

    @property
    def output_rows(self) -> Array:
        """i32[N + S]: rows of the output layer for the N targets, then for the candidates."""
        rows = self.target_rows_tb.reshape(-1)
        if self.candidate_rows is None:
            return rows
        return jnp.concatenate([rows, self.candidate_rows])

    def touched_words(self, params: Params) -> dict[str, Array]:
        """Words whose rows this batch needs, for each table: those that are read, then those that
        are compared with. Tied weights are one table, which needs both."""
        words = {"embedding": self.inputs_tb.reshape(-1), "output": self.output_rows}
        if is_tied(params):
            return dict.fromkeys(words, jnp.concatenate(list(words.values())))
        return words

    def at_rows(self, index: dict[str, RowIndex]) -> "StepBatch":
        """The batch for tables that have the rows of `touched_words` alone; empty: all rows."""
        if not index:
            return self
        n_inputs, n_targets = self.inputs_tb.size, self.target_rows_tb.size
        read = index["embedding"].position[:n_inputs]
        compared = index["output"].position[-len(self.output_rows) :]
        return self._replace(
            inputs_tb=read.reshape(self.inputs_tb.shape),
            target_rows_tb=compared[:n_targets].reshape(self.target_rows_tb.shape),
            candidate_rows=None if self.candidate_rows is None else compared[n_targets:],
        )

    def with_dropout(
        self,
        spec: StepSpec,
        params: Params,
        hyperparams: Hyperparameters,
        randomness: StepRandomness,
    ) -> "StepBatch":
        """The batch with its dropout masks; `params` are those that read it."""
        masks = draw_masks(
            spec.model,
            hyperparams.dropout,
            randomness.dropout_key,
            self.inputs_tb,
            n_rows=len(params["embedding"]["weight"]),
        )
        return self._replace(dropout=masks)

    def stream_axes(self) -> "StepBatch":
        """Axis of the streams in each array; -1 where an array has none."""
        no_axis = jax.tree.map(lambda _: -1, (self.candidates, self.candidate_rows))
        return StepBatch(
            inputs_tb=1,  # type: ignore[arg-type]
            targets_tb=1,  # type: ignore[arg-type]
            target_rows_tb=1,  # type: ignore[arg-type]
            candidates=no_axis[0],
            candidate_rows=no_axis[1],
            dropout=stream_axes(self.dropout),
        )


def step_batch(batch: Batch, candidates: Candidates | None) -> StepBatch:
    """A batch for tables with all rows, with the candidates of its loss and without dropout."""
    targets_tb = batch.targets.reshape(-1, batch.inputs_tb.shape[1])
    return StepBatch(
        inputs_tb=batch.inputs_tb,
        targets_tb=targets_tb,
        target_rows_tb=targets_tb,
        candidates=candidates,
        candidate_rows=None if candidates is None else candidates.ids,
    )


def batch_loss(
    spec: StepSpec,
    hyperparams: Hyperparameters,
    params: Params,
    carry: tuple[Carry, ...],
    batch: StepBatch,
    forward: Forward = LanguageModel.activations,
) -> tuple[Array, tuple[Array, Any]]:
    """Loss of a batch.

    Args:
      spec, hyperparams: as `train_step` takes them.
      params: the model's, with all rows of the tables or with those of the batch.
      carry: the state before the batch.
      batch: what is read and predicted, and what is dropped.
      forward: has the model read.

    Returns:
      What training minimises: `n_summed_steps` times the mean loss over the batch's targets and the
      penalties. Beside it that mean loss, in nats, and what `forward` gives with the features; by
      default the carry after the last word.
    """
    model = spec.merge(params)
    activations, auxiliary = forward(model, batch.inputs_tb, carry, batch.dropout)
    loss = _target_losses(spec, model, activations.features, batch).mean()
    minimised = loss
    if spec.loss.activation_penalty > 0:
        minimised += hyperparams.activation_penalty * activation(activations.dropped_outputs)
    if spec.loss.slowness_penalty > 0:
        minimised += hyperparams.slowness_penalty * temporal_activation(activations.outputs)
    if (n_steps := n_summed_steps(spec.loss, batch)) > 1:
        minimised *= n_steps
    return minimised, (loss, auxiliary)


def _target_losses(
    spec: StepSpec, model: LanguageModel, features_tbd: Array, batch: StepBatch
) -> Array:
    """Loss of each target in nats, f32[N]."""
    targets = batch.targets_tb.reshape(-1)
    features = features_tbd.reshape(-1, features_tbd.shape[-1])[-len(targets) :]
    if batch.candidates is None:
        return model.output.softmax_loss(features, targets)
    words = model.output.sampled(
        targets=targets,
        candidates=batch.candidates,
        rows=batch.output_rows,
        vocab_size=spec.vocab_size,
    )
    remove_hits = spec.loss.remove_accidental_hits
    return sampled_loss(spec.loss.kind, features, words, remove_hits=remove_hits)


def n_summed_steps(loss: LossConfig, batch: StepBatch) -> int:
    """Time steps that the loss is the sum of; 1 where it is their mean, and with `predict=last`."""
    return 1 if loss.over_time == "mean" else len(batch.targets_tb)


def flush(
    spec: StepSpec, state: TrainState, hyperparams: Hyperparameters, due: Array
) -> TrainState:
    """Bring rows that steps have not touched up to date, before anything else reads them.

    Args:
      spec: as `train_step` takes it.
      state: after steps with these hyperparameters.
      hyperparams: unchanged since the rows were last flushed.
      due: bool[]; where it is false nothing changes.
    """
    step = jnp.where(due, state.step, 0)
    return state._replace(**spec.rows.flush(state.tables, hyperparams, step)._asdict())


def record_validation_loss(state: TrainState, loss: ArrayLike, due: ArrayLike = True) -> TrainState:
    """Let an epoch's validation loss decide whether averaging begins; as
    `lm.optim.averaging.update_trigger`."""
    if state.average is None:
        return state
    history = update_trigger(
        state.average.history, jnp.asarray(loss, jnp.float32), jnp.asarray(due)
    )
    return state._replace(average=state.average._replace(history=history))
