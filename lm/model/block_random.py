"""JAX's random numbers for an array of any shape, drawn in blocks by one compiled function.

It stands in for a call such as `jax.random.uniform(key, shape)` and gives the same numbers to the
last bit. JAX compiles that call for every shape, and the models of a grid differ in their shapes.
For the six arrays of a small lstm the plain calls take 3.7 s of processor time, or 0.5 s where all
of their programs are in the persistent compilation cache; this takes 0.05 s (one thread, JAX 0.10).

JAX's numbers depend on the key and on their place in the array alone. So the function here draws a
block of one shape that begins at a given place.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.extend import random as prng

from lm.backend.transfer import to_device

BLOCK_SIZE = 1 << 16
"""Numbers that are drawn at once."""

Distribution = Callable[[Array, tuple[int, ...], Array], Array]
"""(key, shape, number) -> random numbers; `number` is a parameter of the distribution."""


def draw(
    distribution: Distribution, key: Array, shape: tuple[int, ...], number: np.float32
) -> Array:
    """Return `distribution(key, shape, number)`, f32 of that shape.

    Args:
      distribution: draws each number from the key's bits at the number's place alone, 32 bits each.
      key: a key of JAX. While it is traced, or for another generator than Threefry, the array is
        drawn as a whole.
      shape: of the array.
      number: the distribution's parameter.
    """
    if isinstance(key, jax.core.Tracer) or jax.random.key_impl(key) != "threefry2x32":
        return distribution(key, shape, jnp.asarray(number))
    words, count = jax.random.key_data(key), math.prod(shape)
    starts = [divmod(start, 1 << 32) for start in range(0, count, BLOCK_SIZE)]
    blocks = [
        _draw_block(distribution, words, np.array(start, np.uint32), number) for start in starts
    ]
    return to_device(np.concatenate([np.asarray(block) for block in blocks])[:count].reshape(shape))


@partial(jax.jit, static_argnums=0)
def _draw_block(distribution: Distribution, words: Array, start: Array, number: Array) -> Array:
    """Draw the numbers from place `start` on (its high and low 32 bits) of the array whose key has
    the data `words`."""
    key = jax.random.wrap_key_data(jnp.concatenate([words, start]), impl=_THREEFRY_AT_PLACE)
    return distribution(key, (BLOCK_SIZE,), number)


def _bits_from(words: Array, bit_width: int, shape: tuple[int, ...]) -> Array:
    """Random bits as `jax.random.bits` has them from a place on: Threefry of key and place."""
    assert bit_width == 32
    key, high, low = words[:2], words[2], words[3]
    lows = low + jnp.arange(math.prod(shape), dtype=jnp.uint32)
    places = jnp.concatenate([high + (lows < low), lows])
    return jnp.bitwise_xor(*jnp.split(prng.threefry_2x32(key, places), 2)).reshape(shape)


def _unused(*_: Any) -> Any:
    raise NotImplementedError("such a key draws numbers; it is not split.")


_THREEFRY_AT_PLACE = prng.define_prng_impl(
    key_shape=(4,),
    seed=_unused,
    split=_unused,
    random_bits=_bits_from,
    fold_in=_unused,
    name="threefry2x32_from",
    tag="from",
)
"""Keys of four words: two of a Threefry key, and two of the place from which on to draw."""
