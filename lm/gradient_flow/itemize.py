"""Itemized gradients of the batch of the next step, measured on the device.

Like `lm.monitor.statistics`, this reads the batch once more than training does, in a program of its
own, and leaves the training state as it is.

T time, B batch, S sequences that are recorded, K steps back that are kept apart, V vocabulary.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from lm.gradient_flow.backward import Layer
from lm.gradient_flow.measures import ComponentMeasures, measure_components
from lm.losses.softmax import cross_entropy
from lm.model.dropout import DropoutMasks
from lm.model.language_model import Activations, LanguageModel
from lm.model.recurrence import run_cell_with_residuals
from lm.model.scan_vjp import CELL_VJPS, Residuals
from lm.model.types import Carry, Params
from lm.optim.optimizer import Hyperparameters
from lm.training.multi_step import next_step_inputs
from lm.training.randomness import StepRandomness
from lm.training.state import StepSpec, TrainState
from lm.training.step import StepBatch, batch_loss


class ItemizeSpec(NamedTuple):
    """Extent of a record; a compile-time constant."""

    sequences: int
    """Number of sequences, the first of the batch."""
    horizon: int | None
    """Steps back that are kept apart; None: all."""
    units: bool
    """Whether each unit's part is measured, too."""


class BatchWords(NamedTuple):
    """Words read, expected and predicted, and their losses, [T, S] each."""

    inputs: Array
    targets: Array
    predictions: Array
    """The likeliest words."""
    losses: Array
    """Losses of the full softmax in nats, whatever loss training minimizes."""


class GradientFlow(NamedTuple):
    """Gradient flow of one batch."""

    measured: dict[str, ComponentMeasures]
    """Measures by component."""
    shares_beyond: dict[str, Array]
    """Share of the gradient's norm beyond the horizon, by component; empty without a horizon."""
    words: BatchWords


def itemize(
    spec: StepSpec,
    extent: ItemizeSpec,
    state: TrainState,
    hyperparams: Hyperparameters,
    streams_lb: Array,
    randomness: StepRandomness,
) -> GradientFlow:
    """Measure what each loss of the next batch contributes to the gradient at each earlier step.

    Args:
      spec: of the compiled functions.
      extent: what is recorded.
      state, hyperparams, streams_lb, randomness: as `lm.training.multi_step.next_step_inputs`
      takes them.
    """
    state, batch = next_step_inputs(spec, state, hyperparams, streams_lb, randomness)
    layers, features_tbd = forward_layers(spec, hyperparams, state.params, state.carry, batch)
    length = batch.inputs_tb.shape[0]
    layers = [_first_sequences(layer, extent.sequences) for layer in layers]
    measured, shares = measure_components(
        layers, min(extent.horizon or length, length), extent.units
    )
    return GradientFlow(
        measured, shares, _batch_words(spec, extent, state.params, batch, features_tbd)
    )


def forward_layers(
    spec: StepSpec,
    hyperparams: Hyperparameters,
    params: Params,
    carries: tuple[Carry, ...],
    batch: StepBatch,
) -> tuple[list[Layer], Array]:
    """Read a batch forward, and keep all that going back in time needs.

    Every layer is cut off from the layers below, and an array of zeros, its push, is added to its
    outputs. So the gradient of a push ends at the layer that it belongs to. Arguments as of
    `batch_loss`.

    Returns:
      The layers from the lowest to the top, and the features of all steps, [T, B, D].
    """
    length = len(batch.inputs_tb)
    pushes = tuple(jnp.zeros((length, *h.shape), h.dtype) for h, *_ in carries)

    def loss(pushes: tuple[Array, ...]) -> tuple[Array, tuple[list[Residuals], Array]]:
        loss, (_, (layers, features_tbd)) = batch_loss(
            spec, hyperparams, params, carries, batch, forward=partial(_forward, pushes)
        )
        # A push on a layer's outputs reaches the input of the next, and, of the top, the loss. So
        # the gradient of this sum has what dropout makes of the outputs, and that of the losses.
        inputs = sum(residuals.x_tbe.sum() for residuals in layers[1:])
        return loss + inputs, (layers, features_tbd)

    scales, (layers, features_tbd) = jax.grad(loss, has_aux=True)(pushes)
    vjps = [CELL_VJPS[type(cell)] for cell in spec.merge(params).layers]
    parts = zip(vjps, layers, scales, strict=True)
    return [
        Layer(vjp=vjp, residuals=residuals, scale_tsh=scale) for vjp, residuals, scale in parts
    ], features_tbd


def _forward(
    pushes: tuple[Array, ...],
    model: LanguageModel,
    ids_tb: Array,
    carries: tuple[Carry, ...],
    dropout: DropoutMasks,
) -> tuple[Activations, tuple[list[Residuals], Array]]:
    """Have the model read; returns its activations, each layer's residuals, and the features."""
    layers: list[Residuals] = []

    def run_cell(cell: Any, carry: Carry, x_tbe: Array) -> tuple[Carry, Array]:
        push_tbh = pushes[len(layers)]
        below = jax.lax.stop_gradient(x_tbe)
        end, outputs, residuals = run_cell_with_residuals(cell, carry, below)
        layers.append(residuals._replace(x_tbe=x_tbe))
        return end, outputs + push_tbh

    activations, _ = model.activations(ids_tb, carries, dropout, run_cell)
    return activations, (layers, activations.features)


def _first_sequences(layer: Layer, sequences: int) -> Layer:
    """Restrict a layer to the first sequences of the batch."""
    first = partial(jax.tree.map, lambda x: x[..., :sequences, :])  # the last axis but one is B
    residuals = layer.residuals
    return Layer(
        vjp=layer.vjp,
        residuals=Residuals(
            weights=residuals.weights,
            x_tbe=first(residuals.x_tbe),
            start=first(residuals.start),
            after=first(residuals.after),
            steps=first(residuals.steps),
        ),
        scale_tsh=first(layer.scale_tsh),
    )


def _batch_words(
    spec: StepSpec, extent: ItemizeSpec, params: Params, batch: StepBatch, features_tbd: Array
) -> BatchWords:
    model = spec.merge(params)
    inputs_tb = batch.inputs_tb
    last_b = batch.targets_tb[-1]
    targets_tb = jnp.concatenate([inputs_tb[1:], last_b[None]])
    inputs, targets = inputs_tb[:, : extent.sequences], targets_tb[:, : extent.sequences]
    features_nd = features_tbd[:, : extent.sequences].reshape(-1, features_tbd.shape[-1])
    logits_nv = model.logits(features_nd)
    losses = cross_entropy(logits_nv, targets.reshape(-1))
    predictions = logits_nv.argmax(axis=-1)
    shape = inputs.shape
    return BatchWords(inputs, targets, predictions.reshape(shape), losses.reshape(shape))
