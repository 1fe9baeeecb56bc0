"""Random numbers drawn in blocks are JAX's own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array
from jax.extend.random import threefry_2x32

from lm.model.block_random import BLOCK_SIZE, _bits_from, draw


def scaled_uniform(key: Array, shape: tuple[int, ...], scale: Array) -> Array:
    return scale * jax.random.uniform(key, shape, jnp.float32)


@pytest.mark.parametrize("shape", [(3, 5), (1, BLOCK_SIZE), (7, BLOCK_SIZE // 4 + 1)])
@pytest.mark.parametrize("generator", ["threefry2x32", "rbg"])
def test_blocks_hold_the_numbers_of_the_whole_array(shape: tuple[int, ...], generator: str) -> None:
    key = jax.random.key(3, impl=generator)
    expected = scaled_uniform(key, shape, jnp.float32(0.3))
    found = draw(scaled_uniform, key, shape, np.float32(0.3))
    np.testing.assert_array_equal(found, expected)


def test_places_beyond_32_bits_have_numbers_of_their_own() -> None:
    words = jax.random.key_data(jax.random.key(3))
    start = jnp.array([4, 2**32 - 2], jnp.uint32)
    found = _bits_from(jnp.concatenate([words, start]), 32, (4,))
    places = jnp.array([4, 4, 5, 5, 2**32 - 2, 2**32 - 1, 0, 1], jnp.uint32)
    high, low = np.split(np.asarray(threefry_2x32(words, places)), 2)
    np.testing.assert_array_equal(found, high ^ low)
