"""How parameters start, drawn by one small program for arrays of all shapes.

JAX's random numbers depend on the key and on their place in the array alone. So they are drawn in
blocks, and are those that `jax.random` gives for the whole array. Models of a grid differ in their
shapes: to compile the drawing for each of them took two seconds a trial.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.extend import random as prng

from lm.config.schema import InitializerConfig, ModelConfig

Initializer = Callable[[Array, tuple[int, ...]], Array]
"""Key and shape to a parameter's first value."""

BLOCK = 1 << 16
"""Numbers that are drawn at once."""
WIDEN = 1 / np.float32(0.87962566103423978)
"""Over the standard deviation of a standard normal variable between -2 and 2."""


class InitScales(NamedTuple):
    """The numbers that parameters start from; models that differ in them share their programs."""

    matrices: float
    embedding: float
    forget_bias: float


def init_scales(config: ModelConfig) -> InitScales:
    """Those of a configuration."""
    return InitScales(config.initializer.scale, config.embed_scale, config.forget_bias)


def matrix_initializer(
    config: InitializerConfig, scale: float, fan_in_axis: int = -2
) -> Initializer:
    """How a weight matrix starts; variance scaling is `scale / fan-in`, truncated normal, as in
    `jax.nn.initializers.variance_scaling`."""
    if config.kind == "uniform":
        return uniform(scale)

    def initialize(key: Array, shape: tuple[int, ...]) -> Array:
        variance = np.float32(scale) * (1 / np.float32(shape[fan_in_axis]))
        return _draw(_normal, key, shape, np.sqrt(variance) * WIDEN)

    return initialize


def uniform(scale: float) -> Initializer:
    """U(-scale, scale); `jax.nn.initializers.uniform` starts at zero."""

    def initialize(key: Array, shape: tuple[int, ...]) -> Array:
        return _draw(_uniform, key, shape, np.float32(scale))

    return initialize


def zeros(size: int) -> Array:
    """Where a bias starts."""
    return to_device(np.zeros(size, np.float32))


def to_device(values: Any) -> Array:
    """Numbers of the host on the device; `jnp.asarray` would compile something for their shape."""
    return jnp.asarray(jax.device_put(values))


def _uniform(key: Array, shape: tuple[int, ...], scale: Array) -> Array:
    return jax.random.uniform(key, shape, jnp.float32, -scale, scale)


def _normal(key: Array, shape: tuple[int, ...], deviation: Array) -> Array:
    """Truncated at two standard deviations."""
    return jax.random.truncated_normal(key, -2, 2, shape, jnp.float32) * deviation


def _draw(
    law: Callable[..., Array], key: Array, shape: tuple[int, ...], number: np.float32
) -> Array:
    """Draw from `law(key, shape, number)`; as a whole where that is being traced."""
    if isinstance(key, jax.core.Tracer) or jax.random.key_impl(key) != "threefry2x32":
        return law(key, shape, jnp.asarray(number))
    words, count = jax.random.key_data(key), math.prod(shape)
    starts = [divmod(start, 1 << 32) for start in range(0, count, BLOCK)]
    blocks = [_draw_block(law, words, np.array(start, np.uint32), number) for start in starts]
    return to_device(np.concatenate([np.asarray(block) for block in blocks])[:count].reshape(shape))


@partial(jax.jit, static_argnums=0)
def _draw_block(law: Callable[..., Array], words: Array, start: Array, number: Array) -> Array:
    """Numbers `start` (high and low 32 bits) and following of the array that `words` is key to."""
    key = jax.random.wrap_key_data(jnp.concatenate([words, start]), impl=_FROM)
    return law(key, (BLOCK,), number)


def _bits_from(words: Array, bit_width: int, shape: tuple[int, ...]) -> Array:
    """Random bits as `jax.random.bits` has them from some place on: Threefry of key and place."""
    assert bit_width == 32
    key, high, low = words[:2], words[2], words[3]
    lows = low + jnp.arange(math.prod(shape), dtype=jnp.uint32)
    places = jnp.concatenate([high + (lows < low), lows])
    return jnp.bitwise_xor(*jnp.split(prng.threefry_2x32(key, places), 2)).reshape(shape)


def _unused(*_: Any) -> Any:
    raise NotImplementedError("such a key draws numbers; it is not split.")


_FROM = prng.define_prng_impl(
    key_shape=(4,),
    seed=_unused,
    split=_unused,
    random_bits=_bits_from,
    fold_in=_unused,
    name="threefry2x32_from",
    tag="from",
)
"""Keys of two words and the place, of two words, from which on numbers are drawn."""
