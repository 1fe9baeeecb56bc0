"""The recurrences rnn, gru and lstm: their equations, forward and backward, and nothing else.

Shapes: T time, B batch, H units of the layer, G gates (1 for rnn, 3 for gru, 4 for lstm). Gates
stand side by side in one matrix, in PyTorch's order. `lm.model.recurrence` runs a cell over a
sequence.

Going back in time, what a cell's step hands on is linear in what it gets. So each cell gives its
slopes, all that does not depend on the incoming gradients, which are computed for the whole
sequence at once; inside the loop back in time only products with them are left.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from lm.model.types import Carry


class RecurrentWeights(NamedTuple):
    """Weights of the state's share of the pre-activations."""

    kernel: Array
    """U: [H, G*H]."""
    bias: Array | None = None
    """gru only: [H], inside the reset gate's product."""


class Cell(NamedTuple):
    """A recurrence: how many gates it has, one step of it, and one step back.

    z is the gates' pre-activation: x_z = W x_t + b, the input's share, and u_z = U h_{t-1}.
    """

    gates: int
    states: int
    """Arrays in its carry."""
    kept: tuple[str, ...]
    """Names of what `step` keeps, each [B, H], gates first; sigmoids are called `..._gate`."""
    step: Callable[[RecurrentWeights, Carry, Array, Array], tuple[Carry, Array]]
    """(weights, carry, x_z, u_z) -> the next carry, whose first part is the output h_t, and what
    `slopes` needs of this step, [B, any] (of width 0 where the carries are enough)."""
    slopes: Callable[[Array, Carry, Carry], tuple[Array, ...]]
    """(what `step` kept, carries before, carries after), each with all time steps in front. The
    first is what u_z's gradient is a multiple of, and as wide."""
    back: Callable[[tuple[Array, ...], Carry], tuple[Carry, Array, Array]]
    """(slopes of a step, gradient of its carry) -> gradient of the carry before it, without the
    share that comes through u_z; gradient of u_z; what `input_gradient` needs besides."""
    input_gradient: Callable[[Array, Array], Array]
    """(gradients of u_z, what `back` gave besides), all time steps -> gradients of x_z."""


def sigmoid(z: Array) -> Array:
    """1 / (1 + exp(-z)), as a tanh: one such function for all gates keeps them in one loop."""
    return 0.5 * jnp.tanh(0.5 * z) + 0.5


def _same(u: Array, besides: Array) -> Array:
    return u


def _nothing(like: Array) -> Array:
    return like[..., :0]


def _rnn_step(
    weights: RecurrentWeights, carry: Carry, x_z: Array, u_z: Array
) -> tuple[Carry, Array]:
    """h_t = tanh(W x_t + b + U h_{t-1})  (Elman 1990)."""
    return (jnp.tanh(x_z + u_z),), _nothing(x_z)


def _rnn_slopes(kept: Array, before: Carry, after: Carry) -> tuple[Array, ...]:
    (h,) = after
    return (1 - h * h,)


def _rnn_back(slopes: tuple[Array, ...], carry: Carry) -> tuple[Carry, Array, Array]:
    (dh,) = carry
    return (jnp.zeros_like(dh),), dh * slopes[0], _nothing(dh)


def _gru_step(
    weights: RecurrentWeights, carry: Carry, x_z: Array, u_z: Array
) -> tuple[Carry, Array]:
    """The reset gate after the product, as in cuDNN (Cho et al. 2014, v1 of the paper).

    r = sigmoid(x_r + U_r h);  z = sigmoid(x_z + U_z h)
    n = tanh(x_n + r * (U_n h + b_n));  h_t = (1 - z) * n + z * h
    """
    (h,) = carry
    assert weights.bias is not None
    size = h.shape[-1]
    rz = sigmoid(x_z[:, : 2 * size] + u_z[:, : 2 * size])
    r, z = jnp.split(rz, 2, axis=-1)
    u_n = u_z[:, 2 * size :] + weights.bias[None, :]
    n = jnp.tanh(x_z[:, 2 * size :] + r * u_n)
    return ((1 - z) * n + z * h,), jnp.concatenate([rz, n, u_n], axis=-1)


def _gru_slopes(kept: Array, before: Carry, after: Carry) -> tuple[Array, ...]:
    (h,) = before
    r, z, n, u_n = jnp.split(kept, 4, axis=-1)
    by_n = (1 - z) * (1 - n * n)
    by_u = jnp.concatenate([by_n * u_n * r * (1 - r), (h - n) * z * (1 - z), by_n * r], axis=-1)
    return by_u, z, by_n


def _gru_back(slopes: tuple[Array, ...], carry: Carry) -> tuple[Carry, Array, Array]:
    (dh,) = carry
    by_u, z, by_n = slopes
    return (dh * z,), jnp.concatenate([dh, dh, dh], axis=-1) * by_u, dh * by_n


def _gru_input_gradient(u: Array, by_n: Array) -> Array:
    return jnp.concatenate([u[..., : -by_n.shape[-1]], by_n], axis=-1)


_HALF = np.array([0.5, 0.5, 1.0, 0.5], np.float32)
"""Gates i, f and o are sigmoids, g is a tanh: a tanh(a z) + 1 - a."""


def _lstm_step(
    weights: RecurrentWeights, carry: Carry, x_z: Array, u_z: Array
) -> tuple[Carry, Array]:
    """Zaremba et al. 2014, section 3; no peepholes.

    i, f, o = sigmoid(...);  g = tanh(...);  c_t = f * c + i * g;  h_t = o * tanh(c_t)
    """
    h, c = carry
    a = jnp.asarray(np.repeat(_HALF, h.shape[-1]))[None, :]
    gates = a * jnp.tanh(a * (x_z + u_z)) + (1 - a)
    i, f, g, o = jnp.split(gates, 4, axis=-1)
    c = f * c + i * g
    return (o * jnp.tanh(c), c), gates


def _lstm_slopes(kept: Array, before: Carry, after: Carry) -> tuple[Array, ...]:
    i, f, g, o = jnp.split(kept, 4, axis=-1)
    tanh_c = jnp.tanh(after[1])
    by_gate = [g * i * (1 - i), before[1] * f * (1 - f), i * (1 - g * g), tanh_c * o * (1 - o)]
    return jnp.concatenate(by_gate, axis=-1), f, o * (1 - tanh_c * tanh_c)


def _lstm_back(slopes: tuple[Array, ...], carry: Carry) -> tuple[Carry, Array, Array]:
    dh, dc = carry
    by_gate, f, by_c = slopes
    dc = dc + dh * by_c
    dz = jnp.concatenate([dc, dc, dc, dh], axis=-1) * by_gate
    return (jnp.zeros_like(dh), dc * f), dz, _nothing(dh)


GRU_KEPT = ("reset_gate", "update_gate", "candidate", "recurrent_share")
LSTM_KEPT = ("input_gate", "forget_gate", "candidate", "output_gate")

CELLS: dict[str, Cell] = {
    "rnn": Cell(1, 1, (), _rnn_step, _rnn_slopes, _rnn_back, _same),
    "gru": Cell(3, 1, GRU_KEPT, _gru_step, _gru_slopes, _gru_back, _gru_input_gradient),
    "lstm": Cell(4, 2, LSTM_KEPT, _lstm_step, _lstm_slopes, _lstm_back, _same),
}


def zero_carry(cell: Cell, batch_size: int, size: int) -> Carry:
    """The state before the first word."""
    return tuple(jnp.zeros((batch_size, size), jnp.float32) for _ in range(cell.states))
