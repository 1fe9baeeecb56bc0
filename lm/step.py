"""One training step, and a compiled run of many.

A step is a pure function (state, hyperparameters, batch, key) -> (state, metrics). B batch, T time.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array, lax

from lm.cells import Carry
from lm.config import LossConfig, OptimizerConfig, TrainConfig
from lm.data.batches import Batch, cut_sliding, cut_touching
from lm.data.windows import windows_in_stream
from lm.losses import token_losses
from lm.model import LanguageModel
from lm.optimizer import Hyperparameters, build_optimizer

Params = dict[str, Any]
Merge = Callable[[Params], LanguageModel]


class Recipe(NamedTuple):
    """What a step does that is not a number: fixed when it is compiled."""

    merge: Merge
    """Puts parameters into the model's structure."""
    loss: LossConfig
    optimizer: OptimizerConfig
    train: TrainConfig
    has_dropout: bool


class TrainState(NamedTuple):
    """All that training changes; a checkpoint holds exactly this."""

    params: Params
    optimizer: optax.OptState
    carry: tuple[Carry, ...]
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


def batch_loss(
    recipe: Recipe,
    params: Params,
    carry: tuple[Carry, ...],
    batch: Batch,
    dropout_rate: Array,
    key: Array,
) -> tuple[Array, tuple[Carry, ...]]:
    """Mean training loss over a batch's targets, and the state after its last word."""
    dropout_key, candidates_key = jax.random.split(key)
    model = recipe.merge(params)
    dropout = (dropout_rate, dropout_key) if recipe.has_dropout else None
    features, carry = model(batch.inputs_tb, carry, dropout)
    if batch.targets.ndim == 1:
        features = features[-1:]
    losses = token_losses(
        recipe.loss.kind,
        features.reshape(-1, features.shape[-1]),
        model.output.weight[...],
        model.output.bias[...],
        batch.targets.reshape(-1),
        key=candidates_key,
        samples=recipe.loss.samples,
        remove_hits=recipe.loss.remove_accidental_hits,
    )
    return losses.mean(), carry


def train_step(
    recipe: Recipe, state: TrainState, values: Hyperparameters, batch: Batch, key: Array
) -> tuple[TrainState, StepMetrics]:
    """Gradient of the batch's loss, clipped, and one update."""
    value_and_grad = jax.value_and_grad(batch_loss, argnums=1, has_aux=True)
    (loss, carry), grads = value_and_grad(
        recipe, state.params, state.carry, batch, values.dropout, key
    )
    metrics = StepMetrics(loss, optax.tree.norm(grads))
    updates, optimizer = build_optimizer(recipe.optimizer, values).update(
        grads, state.optimizer, state.params
    )
    params = optax.apply_updates(state.params, updates)
    return TrainState(params, optimizer, carry, state.step + 1), metrics


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
