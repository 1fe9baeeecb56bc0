"""cuDNN's LSTM: its layout of weights, and when it is used. cuDNN itself needs a GPU."""

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jax.experimental import rnn

from lm.model import cudnn_lstm
from lm.model.cells import LSTMCell
from lm.model.recurrence import run_cell


def reference(
    x: jax.Array, h: jax.Array, c: jax.Array, weights: jax.Array, *rest: Any, **sizes: Any
) -> Any:
    """JAX's own reference of what cuDNN computes, since cuDNN itself needs a GPU."""
    names = ("input_size", "hidden_size", "num_layers", "bidirectional")
    unpacked = rnn.unpack_lstm_weights(weights, *(sizes[name] for name in names))
    result: Any = rnn.lstm_ref(x, h, c, *unpacked, *rest, *sizes.values())
    return result


def with_other_gates(*arguments: Any, **sizes: Any) -> Any:
    """A cuDNN of another layout of weights."""
    x, h, c, weights, *rest = arguments
    return reference(x, h, c, weights[::-1], *rest, **sizes)


@pytest.mark.parametrize(
    ("lstm", "said"),
    [
        (reference, ""),
        (with_other_gates, "it differs by"),
        (rnn.lstm, "cuDNN's LSTM is not used"),  # there is none on a CPU
    ],
)
def test_cudnn_is_used_only_where_it_gives_our_numbers(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, lstm: Any, said: str
) -> None:
    monkeypatch.setattr(rnn, "lstm", lstm)
    assert cudnn_lstm.is_available.__wrapped__() == (not said)
    assert said in caplog.text


def test_cudnns_equations_with_our_packed_weights_equal_our_lstm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rnn, "lstm", reference)
    keys = jax.random.split(jax.random.key(0), 6)
    steps, batch, inputs, units = 5, 3, 4, 6
    rngs = nnx.Rngs(params=keys[0])
    cell = LSTMCell(inputs, units, kernel_init=jax.random.normal, rngs=rngs)
    cell.bias[...] = jax.random.normal(keys[1], (4 * units,))
    carry = tuple(jax.random.normal(key, (batch, units)) for key in keys[3:5])
    x_tbe = jax.random.normal(keys[5], (steps, batch, inputs))
    ours = run_cell(cell, carry, x_tbe)
    theirs = cudnn_lstm.run_cudnn_lstm(cell, carry, x_tbe)
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert one.shape == other.shape
        assert jnp.abs(one - other).max() < 1e-5
