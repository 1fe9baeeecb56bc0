"""The recurrences rnn, gru and lstm: their equations over a whole sequence, and nothing else.

Shapes: T time, B batch, H units of the layer, G gates (1 for rnn, 3 for gru, 4 for lstm). The
input's share of the pre-activations, W x_t + b, does not depend on the state, so the caller
computes it for all time steps in one matrix product; only U h_{t-1} is left inside the loop. Gates
stand side by side in one matrix, in PyTorch's order.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

Carry = tuple[Array, ...]
"""The state between two time steps, each [B, H]: (h,) for rnn and gru, (h, c) for lstm."""


class RecurrentWeights(NamedTuple):
    """Weights of the state's share of the pre-activations."""

    kernel: Array
    """U: [H, G*H]."""
    bias: Array | None = None
    """gru only: [H], inside the reset gate's product."""


class Cell(NamedTuple):
    """A recurrence: how many gates it has, and one step of it."""

    gates: int
    states: int
    """Arrays in its carry."""
    step: Callable[[RecurrentWeights, Carry, Array], Carry]
    """(weights, carry, W x_t + b of shape [B, G*H]) -> carry; carry[0] is the output h_t."""


def _rnn_step(weights: RecurrentWeights, carry: Carry, x_bz: Array) -> Carry:
    """h_t = tanh(W x_t + b + U h_{t-1})  (Elman 1990)."""
    (h,) = carry
    return (jnp.tanh(x_bz + h @ weights.kernel),)


def _gru_step(weights: RecurrentWeights, carry: Carry, x_bz: Array) -> Carry:
    """The reset gate after the product, as in cuDNN (Cho et al. 2014, v1 of the paper).

    r = sigmoid(x_r + U_r h);  z = sigmoid(x_z + U_z h)
    n = tanh(x_n + r * (U_n h + b_n));  h_t = (1 - z) * n + z * h
    """
    (h,) = carry
    x_r, x_z, x_n = jnp.split(x_bz, 3, axis=-1)
    u_r, u_z, u_n = jnp.split(h @ weights.kernel, 3, axis=-1)
    assert weights.bias is not None
    r = jax.nn.sigmoid(x_r + u_r)
    z = jax.nn.sigmoid(x_z + u_z)
    n = jnp.tanh(x_n + r * (u_n + weights.bias[None, :]))
    return ((1 - z) * n + z * h,)


def _lstm_step(weights: RecurrentWeights, carry: Carry, x_bz: Array) -> Carry:
    """Zaremba et al. 2014, section 3; no peepholes.

    i, f, o = sigmoid(...);  g = tanh(...);  c_t = f * c + i * g;  h_t = o * tanh(c_t)
    """
    h, c = carry
    i, f, g, o = jnp.split(x_bz + h @ weights.kernel, 4, axis=-1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


CELLS = {
    "rnn": Cell(gates=1, states=1, step=_rnn_step),
    "gru": Cell(gates=3, states=1, step=_gru_step),
    "lstm": Cell(gates=4, states=2, step=_lstm_step),
}


def zero_carry(cell: Cell, batch_size: int, size: int) -> Carry:
    """The state before the first word."""
    return tuple(jnp.zeros((batch_size, size), jnp.float32) for _ in range(cell.states))


def recur(cell: Cell, weights: RecurrentWeights, carry: Carry, x_tbz: Array) -> tuple[Carry, Array]:
    """Run a cell over a sequence.

    Args:
      x_tbz: [T, B, G*H], the input's share of the pre-activations, biases included.

    Returns:
      The carry after the last step, and the outputs h_tbh of shape [T, B, H].
    """
    step = partial(cell.step, weights)

    def body(carry: Carry, x_bz: Array) -> tuple[Carry, Array]:
        carry = step(carry, x_bz)
        return carry, carry[0]

    return lax.scan(body, carry, x_tbz)
