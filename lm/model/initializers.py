"""How parameters start: uniform, variance scaling, zeros.

They are drawn by `lm.model.block_random`, which compiles nothing for their shapes.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lm.backend.transfer import to_device
from lm.config import InitializerConfig, ModelConfig
from lm.model.block_random import draw

Initializer = Callable[[Array, tuple[int, ...]], Array]
"""(key, shape) -> first value of a parameter, f32."""

UNTRUNCATED = 1 / np.float32(0.87962566103423978)
"""One over the standard deviation of a standard normal variable truncated to [-2, 2]."""


class InitScales(NamedTuple):
    """The numbers that parameters start from; models that differ in them share their programs."""

    matrices: float
    """Half-width of the uniform distribution, or numerator of the variance scaling."""
    embedding: float
    """Half-width of the uniform distribution of word vectors."""
    forget_bias: float
    """Bias of the lstm's forget gate."""


def init_scales(config: ModelConfig) -> InitScales:
    """Return the scales that a configuration asks for."""
    return InitScales(
        matrices=config.initializer.scale,
        embedding=config.embed_scale,
        forget_bias=config.forget_bias,
    )


def matrix_initializer(
    config: InitializerConfig, scale: float, fan_in_axis: int = -2
) -> Initializer:
    """Return the initializer of weight matrices.

    Args:
      config: `uniform`, or `variance_scaling`: a truncated normal distribution of variance
        `scale / fan-in`, as `jax.nn.initializers.variance_scaling`.
      scale: in place of the configuration's.
      fan_in_axis: the axis of the inputs.
    """
    if config.kind == "uniform":
        return uniform(scale)

    def initialize(key: Array, shape: tuple[int, ...]) -> Array:
        variance = np.float32(scale) * (1 / np.float32(shape[fan_in_axis]))
        return draw(_truncated_normal, key, shape, np.sqrt(variance) * UNTRUNCATED)

    return initialize


def uniform(scale: float) -> Initializer:
    """Return the initializer U(-scale, scale); that of `jax.nn.initializers` starts at zero."""

    def initialize(key: Array, shape: tuple[int, ...]) -> Array:
        return draw(_uniform, key, shape, np.float32(scale))

    return initialize


def zeros(size: int) -> Array:
    """Return the first value of a bias, f32[size]."""
    return to_device(np.zeros(size, np.float32))


def _uniform(key: Array, shape: tuple[int, ...], scale: Array) -> Array:
    return jax.random.uniform(key, shape, jnp.float32, -scale, scale)


def _truncated_normal(key: Array, shape: tuple[int, ...], deviation: Array) -> Array:
    """Normal numbers, truncated at two standard deviations."""
    return jax.random.truncated_normal(key, -2, 2, shape, jnp.float32) * deviation
