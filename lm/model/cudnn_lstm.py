"""The LSTM of NVIDIA's cuDNN, through `jax.experimental.rnn`; in place of `lm.model.recurrence` on
a GPU.

It knows float32 alone and cannot be mapped over trials. Shapes as in `lm.model.recurrence`.
"""

import logging
from collections.abc import Callable
from functools import cache, partial

import jax
import jax.numpy as jnp
from jax import Array
from jax.experimental import rnn

from lm.model.cells import CELLS, RecurrentWeights, zero_carry
from lm.model.recurrence import LayerWeights, recur
from lm.model.types import Carry
from sweeps.errors import first_line

log = logging.getLogger(__name__)

TOLERANCE = 0.02
"""Relative; cuDNN may round factors to TensorFloat-32, which keeps ten bits."""


def lstm(weights: LayerWeights, carry: Carry, x_tbe: Array) -> tuple[Carry, Array]:
    """Run an LSTM over a sequence; as `lm.model.recurrence.recur` does with its cell."""
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
    """A layer's weights as cuDNN has them: W^T, U^T, and two biases, of which ours is the first."""
    recurrent = weights.recurrent.kernel
    parts = (weights.kernel.T, recurrent.T, weights.bias, jnp.zeros_like(weights.bias))
    return jnp.concatenate([part.reshape(-1) for part in parts])


@cache
def is_available() -> bool:
    """Whether it computes here what `lm.model.recurrence` does, forward and backward; the log says
    why not. It is asked once a process, of a tiny layer."""
    try:
        difference = _difference()
    except Exception as error:  # of a library that is missing, or of another version
        reason = first_line(error)
    else:
        if difference <= TOLERANCE:
            return True
        reason = f"it differs by {difference:.2g}"
    log.warning("cuDNN's LSTM is not used: %s.", reason)
    return False


def _difference() -> float:
    """Largest difference of outputs and gradients, relative to the largest value of each."""
    steps, batch_size, inputs, size = 3, 2, 4, 8
    keys = jax.random.split(jax.random.key(0), 4)
    shapes = (inputs, 4 * size), (4 * size,), (size, 4 * size), (steps, batch_size, inputs)
    kernel, bias, recurrent, x_tbe = map(jax.random.normal, keys, shapes)
    weights = LayerWeights(kernel, bias, RecurrentWeights(recurrent))
    carry = zero_carry(CELLS["lstm"], batch_size, size)

    def loss(run: Callable[..., tuple[Carry, Array]], weights: LayerWeights) -> Array:
        (_, c), h_tbh = run(weights, carry, x_tbe)
        return (h_tbh**2).sum() + (c**2).sum()

    ours, theirs = (
        jax.tree.leaves(jax.jit(jax.value_and_grad(partial(loss, run)))(weights))
        for run in (partial(recur, CELLS["lstm"]), lstm)
    )
    pairs = zip(ours, theirs, strict=True)
    return max(float(jnp.abs(one - other).max() / jnp.abs(one).max()) for one, other in pairs)
