"""How parameters start."""

from collections.abc import Callable
from typing import NamedTuple

import jax
from jax import Array
from jax.nn import initializers

from lm.options import InitializerConfig, ModelConfig

Initializer = Callable[[Array, tuple[int, ...], type], Array]
"""Key, shape and type to a parameter's first value."""


class Scales(NamedTuple):
    """The numbers that parameters start from; arrays, where models that differ in them share a
    program."""

    matrices: float | Array
    embedding: float | Array
    forget_bias: float | Array


def scales(config: ModelConfig) -> Scales:
    """Those of a configuration."""
    return Scales(config.initializer.scale, config.embed_scale, config.forget_bias)


def matrix_initializer(
    config: InitializerConfig, scale: float | Array, fan_in_axis: int = -2
) -> Initializer:
    """How a weight matrix starts; variance scaling is `scale / fan-in`, truncated normal."""
    if config.kind == "uniform":
        return uniform(scale)
    return initializers.variance_scaling(
        scale,
        "fan_in",
        "truncated_normal",
        in_axis=fan_in_axis,
        out_axis=-3 - fan_in_axis,
    )


def uniform(scale: float | Array) -> Initializer:
    """U(-scale, scale); `jax.nn.initializers.uniform` starts at zero."""

    def initialize(key: Array, shape: tuple[int, ...], dtype: type) -> Array:
        return jax.random.uniform(key, shape, dtype, -scale, scale)

    return initialize
