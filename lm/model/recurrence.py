"""A cell over a whole sequence, with a backward pass of its own.

Shapes as in `lm.model.cells`, and E inputs of the layer. Autodiff through `lax.scan` would add a
product for the weights' gradient to every step back in time. Here the loop carries only the
gradient of the state and gives that of the pre-activations; the weights' gradients are one product
over all time steps each, after it. Kept for it from the forward pass: the states and the gates,
each once.

Both loops write over what they have read, where it is as wide: gates over their pre-activations,
gradients over slopes. Arrays of their own would have to be filled with zeros first.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from lm.backend.matmul import transpose
from lm.model.cells import Cell, RecurrentWeights
from lm.model.types import Carry

Loop = tuple[Carry, Array]
"""The carry, and an array of all time steps that is written over step by step."""


class LayerWeights(NamedTuple):
    """All weights of a recurrent layer."""

    kernel: Array
    """W: [E, G*H]."""
    bias: Array
    """b: [G*H]."""
    recurrent: RecurrentWeights


class Kept(NamedTuple):
    """What the backward pass needs of the forward pass."""

    weights: LayerWeights
    x_tbe: Array
    start: Carry
    after: Carry
    """States after each step, [T, B, H]."""
    steps: Array
    """What the cell's steps kept, [T, B, any]."""

    @property
    def before(self) -> Carry:
        """States before each step, [T, B, H]."""
        pairs = zip(self.start, self.after, strict=True)
        return tuple(jnp.concatenate([start[None], after[:-1]]) for start, after in pairs)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def recur(cell: Cell, weights: LayerWeights, carry: Carry, x_tbe: Array) -> tuple[Carry, Array]:
    """Run a cell over a sequence.

    Args:
      cell: the equations.
      weights: of this layer.
      carry: the state before the first step.
      x_tbe: inputs, [T, B, E].

    Returns:
      The carry after the last step, and the outputs h_tbh of shape [T, B, H].
    """

    def body(carry: Carry, x_bz: Array) -> tuple[Carry, Array]:
        carry, _ = _step(cell, weights, carry, x_bz)
        return carry, carry[0]

    return lax.scan(body, carry, _project(weights, x_tbe))


def _step(cell: Cell, weights: LayerWeights, carry: Carry, x_bz: Array) -> tuple[Carry, Array]:
    return cell.step(weights.recurrent, carry, x_bz, carry[0] @ weights.recurrent.kernel)


def _project(weights: LayerWeights, x_tbe: Array) -> Array:
    """The input's share of the pre-activations, which does not depend on the state: [T, B, G*H]."""
    x_z = _flat(x_tbe) @ weights.kernel + weights.bias[None, :]
    return x_z.reshape(*x_tbe.shape[:2], -1)


def _forward(
    cell: Cell, weights: LayerWeights, carry: Carry, x_tbe: Array
) -> tuple[tuple[Carry, Array], Kept]:
    in_place = len(cell.kept) == cell.gates  # a step keeps as many parts, each [B, H], as it reads

    def body(loop: Loop, t: Array) -> tuple[Loop, tuple[Carry, Array | None]]:
        carry, over = loop
        carry, kept = _step(cell, weights, carry, _at(over, t))
        if in_place:
            return (carry, _put(over, kept, t)), (carry, None)
        return (carry, over), (carry, kept)

    loop, (after, apart) = lax.scan(body, (carry, _project(weights, x_tbe)), _step_numbers(x_tbe))
    end, over = loop
    steps = over if apart is None else apart
    return (end, after[0]), Kept(weights, x_tbe, carry, after, steps)


def _backward(
    cell: Cell, kept: Kept, gradients: tuple[Carry, Array]
) -> tuple[LayerWeights, Carry, Array]:
    of_end, of_outputs = gradients
    weights = kept.weights
    before = kept.before
    by_u, *rest = cell.slopes(kept.steps, before, kept.after)
    transposed_kernel = transpose(weights.recurrent.kernel)

    def body(loop: Loop, step: tuple[Array, Array, Carry]) -> tuple[Loop, Array]:
        (h, *others), over = loop
        t, of_output, slopes = step
        after = (h + of_output, *others)
        (of_h, *others), of_u, besides = cell.back((_at(over, t), *slopes), after)
        return ((of_h + of_u @ transposed_kernel, *others), _put(over, of_u, t)), besides

    steps = (_step_numbers(by_u), of_outputs, tuple(rest))
    (of_start, of_u), besides = lax.scan(body, (of_end, by_u), steps, reverse=True)
    of_x = _flat(cell.input_gradient(of_u, besides))
    of_u = _flat(of_u)
    bias = weights.recurrent.bias
    of_recurrent = RecurrentWeights(
        transpose(_flat(before[0])) @ of_u,
        None if bias is None else of_u[:, -bias.shape[0] :].sum(axis=0),
    )
    of_kernel = transpose(_flat(kept.x_tbe)) @ of_x
    of_weights = LayerWeights(of_kernel, of_x.sum(axis=0), of_recurrent)
    return of_weights, of_start, (of_x @ weights.kernel.T).reshape(kept.x_tbe.shape)


def _step_numbers(x_tbz: Array) -> Array:
    """i32[T], 0 to T - 1; a constant, where `jnp.arange` would be computed in every step."""
    return jnp.asarray(np.arange(len(x_tbz)))


def _at(x_tbz: Array, t: Array) -> Array:
    x_bz: Array = lax.dynamic_index_in_dim(x_tbz, t, keepdims=False)
    return x_bz


def _put(x_tbz: Array, x_bz: Array, t: Array) -> Array:
    written: Array = lax.dynamic_update_index_in_dim(x_tbz, x_bz, t, 0)
    return written


def _flat(x: Array) -> Array:
    """[T, B, any] -> [T * B, any]."""
    return x.reshape(-1, x.shape[-1])


recur.defvjp(_forward, _backward)


def recur_kept(
    cell: Cell, weights: LayerWeights, carry: Carry, x_tbe: Array
) -> tuple[Carry, Array, Kept]:
    """The same, and all that a pass back in time needs, for `lm.gradient_flow`."""
    (end, outputs), kept = _forward(cell, weights, carry, x_tbe)
    return end, outputs, kept


class Watched(NamedTuple):
    """What goes on inside a layer."""

    states: Carry
    """After each step, [T, B, H]."""
    kept: Array
    """The parts named in `Cell.kept` side by side, [T, B, any]."""


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def recur_watched(
    cell: Cell, weights: LayerWeights, carry: Carry, x_tbe: Array
) -> tuple[Carry, Array, Watched]:
    """The same, and what goes on inside, which is to be looked at and gets no gradient."""
    return _forward_watched(cell, weights, carry, x_tbe)[0]


def _forward_watched(
    cell: Cell, weights: LayerWeights, carry: Carry, x_tbe: Array
) -> tuple[tuple[Carry, Array, Watched], Kept]:
    (end, outputs), kept = _forward(cell, weights, carry, x_tbe)
    return (end, outputs, Watched(kept.after, kept.steps)), kept


def _backward_watched(
    cell: Cell, kept: Kept, gradients: tuple[Carry, Array, Watched]
) -> tuple[LayerWeights, Carry, Array]:
    return _backward(cell, kept, gradients[:2])


recur_watched.defvjp(_forward_watched, _backward_watched)
