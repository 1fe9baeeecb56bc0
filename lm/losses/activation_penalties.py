"""Penalties on the outputs of the last recurrent layer, added to the training loss.

Activation and temporal activation regularisation (Merity et al. 2017, "Revisiting Activation
Regularization for Language RNNs"). T time, B batch, H units.
"""

import jax.numpy as jnp
from jax import Array


def activation(dropped_tbh: Array) -> Array:
    """Return the mean square of the layer's outputs after dropout (AR): large ones cost."""
    return jnp.square(dropped_tbh).mean()


def temporal_activation(outputs_tbh: Array) -> Array:
    """Return the mean square of the outputs' differences between time steps, before dropout (TAR):
    fast changes are penalised."""
    return jnp.square(outputs_tbh[1:] - outputs_tbh[:-1]).mean()
