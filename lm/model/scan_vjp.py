"""A cell over a whole sequence with a backward pass written by hand.

It stands in for `lm.model.recurrence.scan_cell`, a plain `lax.scan` over the Flax cell, and gives
the same numbers; tests compare outputs and all gradients. Autodiff through the plain scan adds a
product for the weights' gradient to every step back in time. Here the loop back carries only the
gradient of the state. The weights' gradients are one product each over all time steps, after the
loop. On one thread a whole training step took 18.45 ms where it took 19.60 with Flax's own scan and
cell (default experiment), and 11.07 where it took 14.12 (sherlock); see `benchmarks/RESULTS.md`.

A step of a cell's backward pass is linear in the incoming gradients. So each cell gives its local
Jacobians, which do not depend on them, for the whole sequence at once; only products with them are
left inside the loop.

Both loops overwrite what they have read where it is as wide: gates overwrite pre-activations,
gradients overwrite Jacobians. Separate arrays would have to be filled with zeros first.

Shapes: T time, B batch, E inputs of the layer, H units, G gates. z is the gates' pre-activation:
the inputs' part x_z = W x_t + b plus the state's part u_z = U h_{t-1}.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array, lax

from lm.backend.matmul import transpose
from lm.model.cells import GRUCell, LSTMCell, RecurrentCell, RNNCell
from lm.model.types import Carry


class RecurrentWeights(NamedTuple):
    """Weights of the state's part of the pre-activations."""

    kernel: Array
    """U: [H, G*H]."""
    bias: Array | None = None
    """c_n of gru: [H], inside the reset gate's product; None for other cells."""


class LayerWeights(NamedTuple):
    """All weights of a recurrent layer."""

    kernel: Array
    """W: [E, G*H]."""
    bias: Array
    """b: [G*H]."""
    recurrent: RecurrentWeights


def weights_of(cell: RecurrentCell) -> LayerWeights:
    """Return the arrays of a cell's parameters."""
    recurrent_bias = cell.recurrent_bias[...] if isinstance(cell, GRUCell) else None
    return LayerWeights(
        kernel=cell.input_kernel[...],
        bias=cell.bias[...],
        recurrent=RecurrentWeights(kernel=cell.recurrent_kernel[...], bias=recurrent_bias),
    )


@dataclass(frozen=True, kw_only=True)
class CellVJP:
    """One step of a cell forward, and one step back."""

    gates: int
    """G."""
    residual_names: tuple[str, ...]
    """Names of the parts of a step's residuals, each [B, H], gates first; the names of sigmoids end
    in `_gate`."""
    step: Callable[[RecurrentWeights, Carry, Array, Array], tuple[Carry, Array]]
    """(weights, carry, x_z, u_z) -> the next carry, whose first array is the output h_t, and the
    residuals that `local_jacobians` needs of this step, [B, any]; of width 0 where the carries are
    enough."""
    local_jacobians: Callable[[Array, Carry, Carry], tuple[Array, ...]]
    """(residuals, carries before, carries after), all with a leading axis T -> the factors of the
    backward step, with a leading axis T. The first is d(carry) / d(u_z), [T, B, G*H]."""
    backward_step: Callable[[tuple[Array, ...], Carry], tuple[Carry, Array, Array]]
    """(local Jacobians of a step, gradient of its carry) -> gradient of the carry before it, less
    the part through u_z; gradient of u_z; what `input_gradient` needs besides, [B, any]."""
    input_gradient: Callable[[Array, Array], Array]
    """(gradients of u_z, what `backward_step` gave besides), any leading axes -> those of x_z."""
    channel_of_gate: tuple[int, ...]
    """Number of each gate's channel: gates of a channel get the same gradient but for a factor of
    their own, which the first local Jacobian has."""
    channels: Callable[[tuple[Array, ...], Carry], tuple[Array, ...]]
    """(local Jacobians of a step but the first, gradient of its carry) -> the gradient of each
    channel, unit by unit; `backward_step` without its last product."""
    carry_before: Callable[[tuple[Array, ...], Carry], Carry]
    """The same arguments -> gradient of the carry before the step, less the part through u_z, unit
    by unit, as `backward_step` has it."""

    @property
    def same_input_gradient(self) -> bool:
        """Whether the gradients of x_z are those of u_z."""
        return self.input_gradient is _same_gradient


def sigmoid(z: Array) -> Array:
    """1 / (1 + exp(-z)), as a tanh: with one such function for all gates XLA keeps one loop."""
    return 0.5 * jnp.tanh(0.5 * z) + 0.5


def _same_gradient(du: Array, rest: Array) -> Array:
    return du


def _width_0(like: Array) -> Array:
    return like[..., :0]


def _rnn_step(
    weights: RecurrentWeights, carry: Carry, x_z: Array, u_z: Array
) -> tuple[Carry, Array]:
    return (jnp.tanh(x_z + u_z),), _width_0(x_z)


def _rnn_local_jacobians(residuals: Array, before: Carry, after: Carry) -> tuple[Array, ...]:
    (h,) = after
    return (1 - h * h,)


def _rnn_backward_step(jacobians: tuple[Array, ...], carry: Carry) -> tuple[Carry, Array, Array]:
    (dh,) = carry
    return (jnp.zeros_like(dh),), dh * jacobians[0], _width_0(dh)


def _state_alone(slopes: tuple[Array, ...], carry: Carry) -> tuple[Array, ...]:
    return carry


def _rnn_carry_before(slopes: tuple[Array, ...], carry: Carry) -> Carry:
    return (jnp.zeros_like(carry[0]),)


def _gru_step(
    weights: RecurrentWeights, carry: Carry, x_z: Array, u_z: Array
) -> tuple[Carry, Array]:
    (h,) = carry
    assert weights.bias is not None
    size = h.shape[-1]
    rz = sigmoid(x_z[:, : 2 * size] + u_z[:, : 2 * size])
    r, z = jnp.split(rz, 2, axis=-1)
    u_n = u_z[:, 2 * size :] + weights.bias[None, :]
    n = jnp.tanh(x_z[:, 2 * size :] + r * u_n)
    return ((1 - z) * n + z * h,), jnp.concatenate([rz, n, u_n], axis=-1)


def _gru_local_jacobians(residuals: Array, before: Carry, after: Carry) -> tuple[Array, ...]:
    (h,) = before
    r, z, n, u_n = jnp.split(residuals, 4, axis=-1)
    by_n = (1 - z) * (1 - n * n)
    by_u = jnp.concatenate([by_n * u_n * r * (1 - r), (h - n) * z * (1 - z), by_n * r], axis=-1)
    return by_u, z, by_n


def _gru_backward_step(jacobians: tuple[Array, ...], carry: Carry) -> tuple[Carry, Array, Array]:
    (dh,) = carry
    by_u, z, by_n = jacobians
    return (dh * z,), jnp.concatenate([dh, dh, dh], axis=-1) * by_u, dh * by_n


def _gru_input_gradient(du: Array, dn: Array) -> Array:
    return jnp.concatenate([du[..., : -dn.shape[-1]], dn], axis=-1)


def _gru_carry_before(slopes: tuple[Array, ...], carry: Carry) -> Carry:
    return (carry[0] * slopes[0],)


_GATE_SCALE = np.array([0.5, 0.5, 1.0, 0.5], np.float32)
"""Gates i, f and o are sigmoids, g is a tanh: all are a tanh(a z) + 1 - a, in one loop."""


def _lstm_step(
    weights: RecurrentWeights, carry: Carry, x_z: Array, u_z: Array
) -> tuple[Carry, Array]:
    h, c = carry
    a = jnp.asarray(np.repeat(_GATE_SCALE, h.shape[-1]))[None, :]
    gates = a * jnp.tanh(a * (x_z + u_z)) + (1 - a)
    i, f, g, o = jnp.split(gates, 4, axis=-1)
    c = f * c + i * g
    return (o * jnp.tanh(c), c), gates


def _lstm_local_jacobians(residuals: Array, before: Carry, after: Carry) -> tuple[Array, ...]:
    i, f, g, o = jnp.split(residuals, 4, axis=-1)
    tanh_c = jnp.tanh(after[1])
    by_gate = [g * i * (1 - i), before[1] * f * (1 - f), i * (1 - g * g), tanh_c * o * (1 - o)]
    return jnp.concatenate(by_gate, axis=-1), f, o * (1 - tanh_c * tanh_c)


def _lstm_backward_step(jacobians: tuple[Array, ...], carry: Carry) -> tuple[Carry, Array, Array]:
    dh, dc = carry
    by_gate, f, by_c = jacobians
    dc = dc + dh * by_c
    dz = jnp.concatenate([dc, dc, dc, dh], axis=-1) * by_gate
    return (jnp.zeros_like(dh), dc * f), dz, _width_0(dh)


def _lstm_channels(slopes: tuple[Array, ...], carry: Carry) -> tuple[Array, ...]:
    dh, dc = carry
    return dc + dh * slopes[1], dh


def _lstm_carry_before(slopes: tuple[Array, ...], carry: Carry) -> Carry:
    dc, dh = _lstm_channels(slopes, carry)
    return (jnp.zeros_like(dh), dc * slopes[0])


CELL_VJPS: dict[type[nnx.RNNCellBase], CellVJP] = {
    RNNCell: CellVJP(
        gates=RNNCell.gates,
        residual_names=(),
        step=_rnn_step,
        local_jacobians=_rnn_local_jacobians,
        backward_step=_rnn_backward_step,
        input_gradient=_same_gradient,
        channel_of_gate=(0,),
        channels=_state_alone,
        carry_before=_rnn_carry_before,
    ),
    GRUCell: CellVJP(
        gates=GRUCell.gates,
        residual_names=("reset_gate", "update_gate", "candidate", "recurrent_share"),
        step=_gru_step,
        local_jacobians=_gru_local_jacobians,
        backward_step=_gru_backward_step,
        input_gradient=_gru_input_gradient,
        channel_of_gate=(0, 0, 0),
        channels=_state_alone,
        carry_before=_gru_carry_before,
    ),
    LSTMCell: CellVJP(
        gates=LSTMCell.gates,
        residual_names=("input_gate", "forget_gate", "candidate", "output_gate"),
        step=_lstm_step,
        local_jacobians=_lstm_local_jacobians,
        backward_step=_lstm_backward_step,
        input_gradient=_same_gradient,
        channel_of_gate=(0, 0, 0, 1),
        channels=_lstm_channels,
        carry_before=_lstm_carry_before,
    ),
}
"""By class of cell. A subclass may have other equations, so it is not looked up by its parent."""


class Residuals(NamedTuple):
    """What the backward pass needs of the forward pass."""

    weights: LayerWeights
    x_tbe: Array
    """Inputs, [T, B, E]."""
    start: Carry
    """State before the first step, [B, H] each."""
    after: Carry
    """State after each step, [T, B, H] each."""
    steps: Array
    """Residuals of the cell's steps, the parts of `CellVJP.residual_names` side by side,
    [T, B, any]."""

    @property
    def before(self) -> Carry:
        """State before each step, [T, B, H] each."""
        pairs = zip(self.start, self.after, strict=True)
        return tuple(jnp.concatenate([start[None], after[:-1]]) for start, after in pairs)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def scan_with_vjp(
    vjp: CellVJP, weights: LayerWeights, carry: Carry, x_tbe: Array
) -> tuple[Carry, Array]:
    """Run a cell over a sequence.

    Args:
      vjp: the cell's equations.
      weights: of the layer.
      carry: the state before the first step, [B, H] each.
      x_tbe: inputs, [T, B, E].

    Returns:
      The carry after the last step, and the outputs h_tbh, [T, B, H].
    """

    def body(carry: Carry, x_bz: Array) -> tuple[Carry, Array]:
        carry, _ = _step(vjp, weights, carry, x_bz)
        return carry, carry[0]

    return lax.scan(body, carry, _input_part(weights, x_tbe))


def _step(vjp: CellVJP, weights: LayerWeights, carry: Carry, x_bz: Array) -> tuple[Carry, Array]:
    return vjp.step(weights.recurrent, carry, x_bz, carry[0] @ weights.recurrent.kernel)


def _input_part(weights: LayerWeights, x_tbe: Array) -> Array:
    """x_z of all time steps, which does not depend on the state: [T, B, G*H]."""
    x_z = _flat(x_tbe) @ weights.kernel + weights.bias[None, :]
    return x_z.reshape(*x_tbe.shape[:2], -1)


_Loop = tuple[Carry, Array]
"""The carry, and an array of all time steps that is overwritten step by step."""


def _forward(
    vjp: CellVJP, weights: LayerWeights, carry: Carry, x_tbe: Array
) -> tuple[tuple[Carry, Array], Residuals]:
    in_place = len(vjp.residual_names) == vjp.gates  # as wide as the pre-activations

    def body(loop: _Loop, t: Array) -> tuple[_Loop, tuple[Carry, Array | None]]:
        carry, buffer = loop
        carry, residuals = _step(vjp, weights, carry, _at(buffer, t))
        if in_place:
            return (carry, _set_at(buffer, residuals, t)), (carry, None)
        return (carry, buffer), (carry, residuals)

    loop, (after, apart) = lax.scan(
        body, (carry, _input_part(weights, x_tbe)), _step_numbers(x_tbe)
    )
    end, buffer = loop
    steps = buffer if apart is None else apart
    residuals = Residuals(weights=weights, x_tbe=x_tbe, start=carry, after=after, steps=steps)
    return (end, after[0]), residuals


def _backward(
    vjp: CellVJP, residuals: Residuals, gradients: tuple[Carry, Array]
) -> tuple[LayerWeights, Carry, Array]:
    d_end, d_outputs = gradients
    weights = residuals.weights
    before = residuals.before
    by_u, *rest = vjp.local_jacobians(residuals.steps, before, residuals.after)
    transposed_kernel = transpose(weights.recurrent.kernel)

    def back(carry: Carry, d_output: Array, jacobians: Carry) -> tuple[Carry, Array, Array]:
        h, *others = carry
        (dh, *others), du, besides = vjp.backward_step(jacobians, (h + d_output, *others))
        return (dh + du @ transposed_kernel, *others), du, besides

    def body(carry: Carry, step: tuple[Array, Carry]) -> tuple[Carry, tuple[Array, Array]]:
        carry, du, besides = back(carry, *step)
        return carry, (du, besides)

    def body_in_place(loop: _Loop, step: tuple[Array, Array, Carry]) -> tuple[_Loop, Array]:
        carry, buffer = loop
        t, d_output, jacobians = step
        carry, du, besides = back(carry, d_output, (_at(buffer, t), *jacobians))
        return (carry, _set_at(buffer, du, t)), besides

    if by_u.shape[1] == 1:
        # XLA reads the factors of one sequence twice, and would copy all of them at each step.
        steps = (d_outputs, (by_u, *rest))
        d_start, (du, besides) = lax.scan(body, d_end, steps, reverse=True)
    else:
        numbered = (_step_numbers(by_u), d_outputs, tuple(rest))
        (d_start, du), besides = lax.scan(body_in_place, (d_end, by_u), numbered, reverse=True)
    dx_z = _flat(vjp.input_gradient(du, besides))
    du = _flat(du)
    bias = weights.recurrent.bias
    d_recurrent = RecurrentWeights(
        kernel=transpose(_flat(before[0])) @ du,
        bias=None if bias is None else du[:, -bias.shape[0] :].sum(axis=0),
    )
    d_kernel = transpose(_flat(residuals.x_tbe)) @ dx_z
    d_weights = LayerWeights(kernel=d_kernel, bias=dx_z.sum(axis=0), recurrent=d_recurrent)
    return d_weights, d_start, (dx_z @ weights.kernel.T).reshape(residuals.x_tbe.shape)


def _step_numbers(x_tbz: Array) -> Array:
    """i32[T], 0 to T - 1; a constant, where `jnp.arange` would be computed in every step."""
    return jnp.asarray(np.arange(len(x_tbz)))


def _at(x_tbz: Array, t: Array) -> Array:
    x_bz: Array = lax.dynamic_index_in_dim(x_tbz, t, keepdims=False)
    return x_bz


def _set_at(x_tbz: Array, x_bz: Array, t: Array) -> Array:
    written: Array = lax.dynamic_update_index_in_dim(x_tbz, x_bz, t, 0)
    return written


def _flat(x: Array) -> Array:
    """[T, B, any] -> [T * B, any]."""
    return x.reshape(-1, x.shape[-1])


scan_with_vjp.defvjp(_forward, _backward)


def scan_with_residuals(
    vjp: CellVJP, weights: LayerWeights, carry: Carry, x_tbe: Array
) -> tuple[Carry, Array, Residuals]:
    """Run a cell as `scan_with_vjp`, and return the residuals, too; they get no gradient."""
    end, outputs, (after, steps) = _scan_with_steps(vjp, weights, carry, x_tbe)
    residuals = Residuals(weights=weights, x_tbe=x_tbe, start=carry, after=after, steps=steps)
    return end, outputs, residuals


_Steps = tuple[Carry, Array]
"""`Residuals.after` and `Residuals.steps`."""


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _scan_with_steps(
    vjp: CellVJP, weights: LayerWeights, carry: Carry, x_tbe: Array
) -> tuple[Carry, Array, _Steps]:
    return _forward_with_steps(vjp, weights, carry, x_tbe)[0]


def _forward_with_steps(
    vjp: CellVJP, weights: LayerWeights, carry: Carry, x_tbe: Array
) -> tuple[tuple[Carry, Array, _Steps], Residuals]:
    (end, outputs), residuals = _forward(vjp, weights, carry, x_tbe)
    return (end, outputs, (residuals.after, residuals.steps)), residuals


def _backward_with_steps(
    vjp: CellVJP, residuals: Residuals, gradients: tuple[Carry, Array, _Steps]
) -> tuple[LayerWeights, Carry, Array]:
    return _backward(vjp, residuals, gradients[:2])


_scan_with_steps.defvjp(_forward_with_steps, _backward_with_steps)
