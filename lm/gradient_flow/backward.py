"""All itemized gradients of a stack of recurrent layers, in one loop back through time.

Shapes: T time, S sequences, H units, G gates, E inputs of a layer, K steps back that are kept
apart, R rows, each for losses at one distance. Going back, a cell is linear in what it gets, so the
gradients of all losses can go back side by side. Row k holds that of the loss k steps ahead; at
each step all move one row on and the step's own loss enters row 0. With a horizon there is one row
more than K, in which what has gone further back is summed.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax import Array, lax

from lm.model.scan_vjp import CellVJP, Residuals
from lm.model.types import Carry

T = TypeVar("T")


class Layer(NamedTuple):
    """A recurrent layer with its residuals of a batch."""

    vjp: CellVJP
    residuals: Residuals
    scale_tsh: Array
    """Factors by which dropout scales the outputs on their way to the layer above, [T, S, H]; for
    the top layer the gradient of each output with respect to the loss of its own step."""


class LayerGradients(NamedTuple):
    """Gradients that reach one layer at one step, for each row."""

    du: tuple[Array, ...]
    """Gradients of u_z, [R, S, G*H]: a part through each array of the carry; they add up."""
    dx: tuple[Array, ...]
    """Gradients of x_z, in parts as `du`."""
    down: Array
    """Gradients of the layer's input, [R, S, E]."""


def backward_through_time(
    layers: Sequence[Layer], reach: int, measure: Callable[[list[LayerGradients]], T]
) -> T:
    """Propagate the losses of all steps back through time.

    Args:
      layers: from the lowest to the top.
      reach: K, at most T; there are K rows where that is T, else K + 1.
      measure: makes of each step's gradients, layer by layer, what is kept of the step.

    Returns:
      What `measure` gave, with the time steps in front.
    """
    rows = reach + (reach < len(layers[-1].scale_tsh))
    start = [
        tuple(jnp.zeros((rows, *state.shape), state.dtype) for state in layer.residuals.start)
        for layer in layers
    ]
    jacobians = [_local_jacobians(layer) for layer in layers]
    scales = [layer.scale_tsh for layer in layers]
    body = partial(_step_back, layers, reach, measure)
    return lax.scan(body, start, (jacobians, scales), reverse=True)[1]


def _step_back(
    layers: Sequence[Layer],
    reach: int,
    measure: Callable[[list[LayerGradients]], T],
    carries: list[Carry],
    step: tuple[list[tuple[Array, ...]], list[Array]],
) -> tuple[list[Carry], T]:
    """Go back one step through all layers; the top one comes first, its input's gradient enters the
    one below."""
    before: list[Carry] = []
    parts: list[LayerGradients] = []
    entering: Array | None = None
    for layer, jacobians, scale, after in reversed(list(zip(layers, *step, carries, strict=True))):
        h, *others = (_shift_rows(rows, reach) for rows in after)
        h = h.at[0].add(scale) if entering is None else h + entering * scale[None]
        carry, part = _backward_layer(layer, jacobians, (h, *others))
        before.append(carry)
        parts.append(part)
        entering = part.down
    return before[::-1], measure(parts[::-1])


def _shift_rows(rows: Array, reach: int) -> Array:
    """Move every loss one row on: it is a step further away. The last row sums those beyond."""
    fresh = jnp.zeros_like(rows[:1])
    if len(rows) == reach:  # all the way back: nothing has entered the last row yet
        return jnp.concatenate([fresh, rows[:-1]])
    beyond = rows[reach - 1 :].sum(axis=0, keepdims=True)
    return jnp.concatenate([fresh, rows[: reach - 1], beyond])


def _local_jacobians(layer: Layer) -> tuple[Array, ...]:
    """Factors of the layer's backward steps, with a leading axis T."""
    residuals = layer.residuals
    return layer.vjp.local_jacobians(residuals.steps, residuals.before, residuals.after)


def _backward_layer(
    layer: Layer, jacobians: tuple[Array, ...], after: Carry
) -> tuple[Carry, LayerGradients]:
    """Go back one step through one layer, for each array of the carry by itself."""
    vjp, weights = layer.vjp, layer.residuals.weights
    backward_step = jax.vmap(vjp.backward_step, in_axes=(None, 0))
    ways = [backward_step(jacobians, alone) for alone in _one_by_one(after)]
    du = tuple(du for _, du, _ in ways)
    dx = tuple(vjp.input_gradient(du, besides) for _, du, besides in ways)
    h, *others = (sum(states[1:], states[0]) for states in zip(*(w[0] for w in ways), strict=True))
    h = h + _through_kernel(sum(du[1:], du[0]), weights.recurrent.kernel)
    down = _through_kernel(sum(dx[1:], dx[0]), weights.kernel)
    return (h, *others), LayerGradients(du, dx, down)


def _one_by_one(carry: Carry) -> Iterator[Carry]:
    """Split a carry into a sum of carries, each with one array that is not zero."""
    for chosen in range(len(carry)):
        yield tuple(
            state if index == chosen else jnp.zeros_like(state) for index, state in enumerate(carry)
        )


def _through_kernel(rows_rsz: Array, kernel: Array) -> Array:
    """Propagate gradients through a kernel, [R, S, G*H] -> [R, S, inputs], as one product."""
    flat = rows_rsz.reshape(-1, rows_rsz.shape[-1]) @ kernel.T
    return flat.reshape(*rows_rsz.shape[:-1], -1)
