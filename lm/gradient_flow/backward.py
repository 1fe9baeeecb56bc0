"""All itemized gradients of a stack of recurrent layers, in one pass back through time.

Shapes: T time, S sequences, H units, G gates, C channels, E inputs of a layer, K steps back that
are kept apart, R rows, each for the loss of one step. Going back, a cell is linear in what it gets,
so the gradients of all losses can go back side by side. Rows are the last axis of every array.

A loss has its row for as long as it is kept apart, so that nothing moves from row to row. Each step
back brings a loss of its own. Rows are added as losses come, some at a time (`_segments`): most of
the work on rows that no loss has reached yet is left out. With a horizon a loss leaves its row to
the one that comes K steps later, and what has gone further back is summed in one row more.

The gates of a unit share few gradients, its channels (`lm.model.scan_vjp.CellVJP`). So no gradient
of pre-activations is formed: at each step the kernel is multiplied by the local Jacobians, and the
channels of all rows by that product, which is smaller than the kernel for gru and lstm.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from lm.model.scan_vjp import CellVJP, Residuals
from lm.model.types import Carry

SEGMENTS = 4
"""Most loops over time in which rows are added. Work on empty rows is 1 / (2 SEGMENTS) of all; each
loop takes time to compile."""

MIN_SEGMENT = 16
"""Fewest steps of such a loop, where there are more in all."""


class Layer(NamedTuple):
    """A recurrent layer with its residuals of a batch."""

    vjp: CellVJP
    residuals: Residuals
    scale_tsh: Array
    """Factors by which dropout scales the outputs on their way to the layer above, [T, S, H]; for
    the top layer the gradient of each output with respect to the loss of its own step."""


class Factors(NamedTuple):
    """What going back through a layer needs of the forward pass, [T, S, any] or, of one step,
    [S, any]."""

    by_u: Array
    """Gradients of u_z over those of the gates' channels, [T, S, G*H]."""
    by_x: Array
    """Gradients of x_z over those of the gates' channels."""
    by_state: tuple[tuple[Array, ...], ...]
    """For each array of the carry, gradients of the channels over its own, [T, S, H] each."""
    slopes: tuple[Array, ...]
    """Local Jacobians that `CellVJP.channels` and `CellVJP.carry_before` take."""
    scale: Array
    """`Layer.scale_tsh`."""


class LayerGradients(NamedTuple):
    """Gradients that reach one layer at one step, for each row."""

    states: Carry
    """Of the arrays of the carry, [S, H, R] each."""
    channels: tuple[Array, ...]
    """Of the channels, [S, H, R] each."""
    down: Array | None
    """Of the layer's input, [S, E, R]; None for the lowest layer."""


Measured = tuple[Any, Any]
"""A tree of arrays [..., R], and one of arrays without rows."""

Inputs = tuple[list[Factors], Any]
"""Factors by layer, and what `measure` gets besides."""

Measure = Callable[[list[LayerGradients], Any], Measured]


def backward_through_time(
    layers: Sequence[Layer], reach: int, measure: Measure, beside: Any
) -> Measured:
    """Propagate the losses of all steps back through time.

    Args:
      layers: from the lowest to the top.
      reach: K, at most T.
      measure: makes of each step's gradients, layer by layer, what is kept of the step. It gets K
        rows or fewer; with a horizon one more may follow, the sum of those beyond.
      beside: what `measure` gets besides; a tree of arrays with the time steps in front.

    Returns:
      What `measure` gave, with the time steps in front. The last axis of the arrays of its first
      tree has K entries, for the loss of the step itself and of the K - 1 steps after it; there are
      zeros where there is no such step.
    """
    length = len(layers[-1].scale_tsh)
    inputs = [factors_of(layer) for layer in layers], beside
    carries = [
        tuple(jnp.zeros((*state.shape, 0), state.dtype) for state in layer.residuals.start)
        for layer in layers
    ]
    parts: list[Measured] = []
    for first, end in _segments(length - reach, length):
        fresh = length - first - carries[0][0].shape[-1]
        carries = _with_rows(carries, (fresh, 0))
        carries, part = _growing(layers, measure, carries, inputs, first, end)
        parts.append(_filled_up(part, reach))
    if reach < length:
        carries = _with_rows(carries, (0, 1))
        carries, part = _ring(layers, measure, carries, inputs, length - reach, reach)
        parts.append(part)
    found: Measured = jax.tree.map(lambda *xs: jnp.concatenate(xs), *parts[::-1])
    return found


def _segments(first: int, end: int) -> list[tuple[int, int]]:
    """Cut the steps from `first` to `end` into loops, the last one in front."""
    steps = end - first
    count = max(1, min(SEGMENTS, steps // MIN_SEGMENT))
    bounds = [first + steps * number // count for number in range(count + 1)]
    return list(pairwise(bounds))[::-1]


def _growing(
    layers: Sequence[Layer],
    measure: Measure,
    carries: list[Carry],
    inputs: Inputs,
    first: int,
    end: int,
) -> tuple[list[Carry], Measured]:
    """Go back from step `end` - 1 to `first`; there is a row for each loss from `first` on."""
    steps = end - first
    rows = jnp.arange(carries[0][0].shape[-1])

    def aligned(by_row: Array, row: Array) -> Array:
        room = [(0, 0)] * (by_row.ndim - 1) + [(0, steps)]
        return lax.dynamic_slice_in_dim(jnp.pad(by_row, room), row, by_row.shape[-1], axis=-1)

    def body(carries: list[Carry], step: tuple[Array, Inputs]) -> tuple[list[Carry], Measured]:
        row, (factors, beside) = step
        carries, gradients = _step_back(layers, carries, factors, rows == row)
        by_row, whole = measure(gradients, beside)
        return carries, (jax.tree.map(lambda x: aligned(x, row), by_row), whole)

    steps_in = jnp.arange(steps), jax.tree.map(lambda x: x[first:end], inputs)
    found: tuple[list[Carry], Measured] = lax.scan(body, carries, steps_in, reverse=True)
    return found


def _ring(
    layers: Sequence[Layer],
    measure: Measure,
    carries: list[Carry],
    inputs: Inputs,
    end: int,
    reach: int,
) -> tuple[list[Carry], Measured]:
    """Go back from step `end` - 1 to 0; each loss takes the row of the one K steps ahead of it."""
    rows = jnp.arange(reach + 1)

    def without_oldest(state: Array, row: Array) -> Array:
        leaving = lax.dynamic_slice_in_dim(state, row, 1, axis=-1)
        return jnp.where(rows == row, 0, jnp.where(rows == reach, state + leaving, state))

    def aligned(by_row: Array, row: Array) -> Array:
        twice = jnp.concatenate([by_row, by_row], axis=-1)
        return lax.dynamic_slice_in_dim(twice, row, reach, axis=-1)

    def body(carries: list[Carry], step: tuple[Array, Inputs]) -> tuple[list[Carry], Measured]:
        row, (factors, beside) = step
        carries = jax.tree.map(lambda state: without_oldest(state, row), carries)
        carries, gradients = _step_back(layers, carries, factors, rows == row)
        by_row, whole = measure(gradients, beside)
        return carries, (jax.tree.map(lambda x: aligned(x, row), by_row), whole)

    steps_in = (jnp.arange(end) - end) % reach, jax.tree.map(lambda x: x[:end], inputs)
    found: tuple[list[Carry], Measured] = lax.scan(body, carries, steps_in, reverse=True)
    return found


def _with_rows(carries: list[Carry], room: tuple[int, int]) -> list[Carry]:
    """Add empty rows before and after those that there are."""
    wider: list[Carry] = jax.tree.map(lambda x: jnp.pad(x, ((0, 0), (0, 0), room)), carries)
    return wider


def _filled_up(part: Measured, reach: int) -> Measured:
    """Add zeros for losses that there are not."""
    by_row, whole = part

    def filled(x: Array) -> Array:
        return jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, reach - x.shape[-1])])

    return jax.tree.map(filled, by_row), whole


def factors_of(layer: Layer) -> Factors:
    """Find the factors of all steps of a layer."""
    vjp, residuals = layer.vjp, layer.residuals
    jacobians = vjp.local_jacobians(residuals.steps, residuals.before, residuals.after)
    by_u, *rest = jacobians
    slopes = tuple(rest)
    ones = tuple(jnp.ones_like(state) for state in residuals.after)
    _, _, besides = vjp.backward_step(jacobians, ones)
    alone = (
        tuple(one if state == chosen else jnp.zeros_like(one) for state, one in enumerate(ones))
        for chosen in range(len(ones))
    )
    return Factors(
        by_u=by_u,
        by_x=vjp.input_gradient(by_u, besides),
        by_state=tuple(vjp.channels(slopes, state) for state in alone),
        slopes=slopes,
        scale=layer.scale_tsh,
    )


def _step_back(
    layers: Sequence[Layer], carries: list[Carry], factors: list[Factors], own_row: Array
) -> tuple[list[Carry], list[LayerGradients]]:
    """Go back one step through all layers; the top one comes first, its input's gradient enters the
    one below.

    Args:
      layers: from the lowest to the top.
      carries: gradients of the states after the step.
      factors: of the step.
      own_row: bool[R], the row of the step's own loss.
    """
    before: list[Carry] = []
    parts: list[LayerGradients] = []
    entering: Array | None = None
    stack = list(zip(layers, carries, factors, strict=True))
    for number, (layer, (h, *others), of_step) in reversed(list(enumerate(stack))):
        scale = of_step.scale[..., None]
        h = jnp.where(own_row, h + scale, h) if entering is None else h + entering * scale
        carry, part = _layer_back(layer, (h, *others), of_step, lowest=number == 0)
        before.append(carry)
        parts.append(part)
        entering = part.down
    return before[::-1], parts[::-1]


def _layer_back(
    layer: Layer, after: Carry, factors: Factors, *, lowest: bool
) -> tuple[Carry, LayerGradients]:
    """Go back one step through one layer."""
    vjp, weights = layer.vjp, layer.residuals.weights
    slopes = tuple(slope[..., None] for slope in factors.slopes)
    channels = vjp.channels(slopes, after)
    kernels = [_by_channel(vjp, weights.recurrent.kernel, factors.by_u)]
    if not lowest:
        kernels.append(_by_channel(vjp, weights.kernel, factors.by_x))
    product = jnp.einsum(
        "sec,scr->ser", jnp.concatenate(kernels, axis=1), jnp.concatenate(channels, axis=1)
    )
    units = after[0].shape[1]
    h, *others = vjp.carry_before(slopes, after)
    down = None if lowest else product[:, units:]
    return (h + product[:, :units], *others), LayerGradients(after, channels, down)


def _by_channel(vjp: CellVJP, kernel: Array, by_gate: Array) -> Array:
    """Multiply a kernel [E, G*H] with factors [S, G*H], and add up the gates of each channel;
    [S, E, C*H]."""
    product = by_gate[:, None, :] * kernel[None]
    gates = jnp.split(product, vjp.gates, axis=-1)
    return jnp.concatenate(by_channel(vjp, gates), axis=-1)


def by_channel(vjp: CellVJP, gates: Sequence[Array]) -> list[Array]:
    """Add up the gates of each channel."""
    found = []
    for channel in range(max(vjp.channel_of_gate) + 1):
        first, *others = [
            gate for gate, of in zip(gates, vjp.channel_of_gate, strict=True) if of == channel
        ]
        found.append(sum(others, first))
    return found
