"""The LSTM of NVIDIA's cuDNN, through `jax.experimental.rnn`; in place of `lm.recurrence` on a GPU.

It knows float32 alone and cannot be mapped over trials. Shapes as in `lm.recurrence`.
"""

import jax.numpy as jnp
from jax import Array
from jax.experimental import rnn

from lm.cells import Carry
from lm.recurrence import LayerWeights


def lstm(weights: LayerWeights, carry: Carry, x_tbe: Array) -> tuple[Carry, Array]:
    """Run an LSTM over a sequence; as `lm.recurrence.recur` does with its cell."""
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
