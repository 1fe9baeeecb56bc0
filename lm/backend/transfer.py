"""Arrays on their way from the host to the device."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array


def to_device(values: Any) -> Array:
    """Return the host's numbers as an array of JAX. `jnp.asarray` alone would compile a program for
    their shape."""
    return jnp.asarray(jax.device_put(values))
