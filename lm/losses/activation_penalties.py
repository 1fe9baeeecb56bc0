"""Penalties on what the last recurrent layer gives, added to the training loss.

Activation and temporal activation regularisation (Merity et al. 2017, "Revisiting Activation
Regularization for Language RNNs"). T time, B batch, H units.
"""

import jax.numpy as jnp
from jax import Array


def activation(dropped_tbh: Array) -> Array:
    """Mean square of the layer's outputs after dropout: large ones are penalised."""
    return jnp.square(dropped_tbh).mean()


def temporal_activation(outputs_tbh: Array) -> Array:
    """Mean square of the differences between time steps, before dropout: fast changes are
    penalised."""
    return jnp.square(outputs_tbh[1:] - outputs_tbh[:-1]).mean()
