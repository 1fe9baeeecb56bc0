"""The LSTM of NVIDIA's cuDNN, through `jax.experimental.rnn`; experimental.

It stands in for `lm.model.scan_vjp` on a GPU, in float32 and outside of `jax.vmap`, which are all
that it supports. It has not been run or measured on a GPU yet.

Shapes: T time, B batch, E inputs, H units.
"""

import logging
from collections.abc import Callable
from functools import cache, partial

import jax
import jax.numpy as jnp
from jax import Array
from jax.experimental import rnn

from lm.model.cells import LSTMCell
from lm.model.scan_vjp import (
    CELL_VJPS,
    LayerWeights,
    RecurrentWeights,
    scan_with_vjp,
    weights_of,
)
from lm.model.types import Carry
from sweeps.errors import first_line

log = logging.getLogger(__name__)

TOLERANCE = 0.02
"""Relative. cuDNN may round factors to TensorFloat-32, which keeps ten bits."""


def run_cudnn_lstm(cell: LSTMCell, carry: Carry, x_tbe: Array) -> tuple[Carry, Array]:
    """Run an LSTM cell over a sequence.

    Args:
      cell: gives the weights.
      carry: the state (h, c) before the first step, [B, H] each.
      x_tbe: inputs, [T, B, E].

    Returns:
      The carry after the last step, and the outputs, [T, B, H].
    """
    return lstm(weights_of(cell), carry, x_tbe)


def lstm(weights: LayerWeights, carry: Carry, x_tbe: Array) -> tuple[Carry, Array]:
    """Run an LSTM with these weights; otherwise as `run_cudnn_lstm`."""
    steps, batch_size, inputs = x_tbe.shape
    size = carry[0].shape[-1]
    h_bth, *ends = rnn.lstm(
        x_tbe.swapaxes(0, 1),
        *(state[None] for state in carry),
        pack_weights(weights),
        jnp.full(batch_size, steps, jnp.int32),
        input_size=inputs,
        hidden_size=size,
        num_layers=1,
        dropout=0.0,
        bidirectional=False,
    )
    return tuple(end[0] for end in ends), h_bth.swapaxes(0, 1)


def pack_weights(weights: LayerWeights) -> Array:
    """Return a layer's weights in cuDNN's layout: W^T, U^T, and two biases, of which ours is the
    first; flat."""
    recurrent = weights.recurrent.kernel
    parts = (weights.kernel.T, recurrent.T, weights.bias, jnp.zeros_like(weights.bias))
    return jnp.concatenate([part.reshape(-1) for part in parts])


@cache
def is_available() -> bool:
    """Whether cuDNN's LSTM works here: outputs and gradients of a tiny layer agree with ours.

    It is tried once a process. The log says why it is not available.
    """
    try:
        difference = _difference()
    except Exception as error:  # the library is missing, or of another version
        reason = first_line(error)
    else:
        if difference <= TOLERANCE:
            return True
        reason = f"it differs by {difference:.2g}"
    log.warning("cuDNN's LSTM is not used: %s.", reason)
    return False


def _difference() -> float:
    """Return the largest difference of outputs and gradients from ours, relative to the largest
    value of each."""
    steps, batch_size, inputs, size = 3, 2, 4, 8
    keys = jax.random.split(jax.random.key(0), 4)
    shapes = (inputs, 4 * size), (4 * size,), (size, 4 * size), (steps, batch_size, inputs)
    kernel, bias, recurrent, x_tbe = map(jax.random.normal, keys, shapes)
    weights = LayerWeights(kernel=kernel, bias=bias, recurrent=RecurrentWeights(kernel=recurrent))
    zero = jnp.zeros((batch_size, size), jnp.float32)
    carry = (zero, zero)

    def loss(run: Callable[..., tuple[Carry, Array]], weights: LayerWeights) -> Array:
        (_, c), h_tbh = run(weights, carry, x_tbe)
        return (h_tbh**2).sum() + (c**2).sum()

    ours, theirs = (
        jax.tree.leaves(jax.jit(jax.value_and_grad(partial(loss, run)))(weights))
        for run in (partial(scan_with_vjp, CELL_VJPS[LSTMCell]), lstm)
    )
    pairs = zip(ours, theirs, strict=True)
    return max(float(jnp.abs(one - other).max() / jnp.abs(one).max()) for one, other in pairs)
