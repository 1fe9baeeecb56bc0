"""Batches against slices of the text."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lm.data.batches import sliding_window, stateful_window, to_streams

TEXT = np.arange(100, 123, dtype=np.int32)  # 23 words: three streams of 7, two words left over
STREAMS = to_streams(TEXT, 3)


def test_streams_are_contiguous_pieces_side_by_side() -> None:
    assert STREAMS.shape == (7, 3)
    for stream in range(3):
        np.testing.assert_array_equal(STREAMS[:, stream], TEXT[7 * stream : 7 * stream + 7])
    assert STREAMS.flags.c_contiguous


@pytest.mark.parametrize("index", [0, 1, 2])
def test_touching_windows_predict_each_next_word(index: int) -> None:
    batch = jax.jit(stateful_window, static_argnums=2)(jnp.asarray(STREAMS), jnp.int32(index), 2)
    for stream in range(3):
        first = 7 * stream + 2 * index
        np.testing.assert_array_equal(batch.inputs_tb[:, stream], TEXT[first : first + 2])
        np.testing.assert_array_equal(batch.targets[:, stream], TEXT[first + 1 : first + 3])


@pytest.mark.parametrize("start", [0, 1, 4])
def test_sliding_windows_predict_the_word_after_them(start: int) -> None:
    batch = jax.jit(sliding_window, static_argnums=2)(jnp.asarray(STREAMS), jnp.int32(start), 2)
    for stream in range(3):
        first = 7 * stream + start
        np.testing.assert_array_equal(batch.inputs_tb[:, stream], TEXT[first : first + 2])
        assert batch.targets[stream] == TEXT[first + 2]
