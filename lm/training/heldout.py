"""Evaluation with the full softmax: the negative log-likelihood of every word of a held-out text.

`predict=all` reads the text in streams with the state carried along, every word but the first being
a target once. `predict=last` predicts each word from the window before it, from a zero state, as
such a model was trained. B streams, T time, W windows, N = T B targets of a window (B for
`predict=last`), D width of the features.
"""

import math
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.typing import ArrayLike

from lm.config import TrainConfig
from lm.data.batches import Ids
from lm.data.windows import evaluation_window, num_predictions
from lm.model.language_model import LanguageModel
from lm.model.types import Carry

Loop = tuple[tuple[Carry, ...], Array]
"""One carry a layer, and the sums of the windows so far; f32[W]."""


SLIDING_WINDOWS = 256
"""Windows read side by side with `predict=last`."""


class HeldOut(NamedTuple):
    """A text to evaluate on, padded so that texts of different lengths share one program."""

    inputs: Array
    """i32[W, T, B]."""
    targets: Array
    """i32[W, T, B], or i32[W, B] for `predict=last`; -1 is padding."""
    windows: Array
    """i32[]: windows that hold any target."""


def make_windows(ids: Ids, train: TrainConfig, room: int) -> HeldOut:
    """Cut a held-out text into windows, with room for a text of `room` predictions."""
    if train.predict == "all":
        return _stateful_windows(ids, train, room)
    return _sliding_windows(ids, train.sequence_length, room)


def _stateful_windows(ids: Ids, train: TrainConfig, room: int) -> HeldOut:
    batch_size, length = evaluation_window(train)
    rows = -(-room // (batch_size * length)) * length
    own_rows = -(-(len(ids) - 1) // batch_size)

    def layout(part: Ids, fill: int) -> Array:
        part = np.pad(part, (0, own_rows * batch_size - len(part)), constant_values=fill)
        columns = part.reshape(batch_size, own_rows).T
        columns = np.pad(columns, ((0, rows - own_rows), (0, 0)), constant_values=fill)
        return jnp.asarray(columns.reshape(-1, length, batch_size))

    return HeldOut(layout(ids[:-1], 0), layout(ids[1:], -1), jnp.int32(-(-own_rows // length)))


def _sliding_windows(ids: Ids, length: int, room: int) -> HeldOut:
    count = len(ids) - length
    width = SLIDING_WINDOWS
    total = -(-room // width)
    starts = np.minimum(np.arange(total * width), count - 1)
    inputs = ids[starts[:, None] + np.arange(length)[None, :]].reshape(total, width, length)
    targets = np.where(np.arange(total * width) < count, ids[starts + length], -1)
    return HeldOut(
        jnp.asarray(inputs.transpose(0, 2, 1)),
        jnp.asarray(targets.reshape(total, width).astype(np.int32)),
        jnp.int32(-(-count // width)),
    )


def window_size(train: TrainConfig) -> int:
    """Targets of a window that is full."""
    if train.predict == "last":
        return SLIDING_WINDOWS
    batch_size, length = evaluation_window(train)
    return batch_size * length


def window_losses(model: LanguageModel, text: HeldOut) -> Array:
    """Sum of the negative log-likelihoods of each window's targets, nats; f32[W]."""
    sliding = text.targets.ndim == 2
    zero = model.zero_carry(text.inputs.shape[-1])

    def body(index: Array, loop: Loop) -> Loop:
        carry, sums = loop
        before = zero if sliding else carry
        carry, losses, _ = _read(model, text.inputs[index], text.targets[index], before)
        return carry, sums.at[index].set(losses.sum())

    start: Loop = (zero, jnp.zeros(len(text.targets), jnp.float32))
    end: Loop = lax.fori_loop(0, text.windows, body, start)
    return end[1]


def word_losses(
    model: LanguageModel, text: HeldOut, carry: tuple[Carry, ...]
) -> tuple[tuple[Carry, ...], Array, Array]:
    """Read all windows of a text, or of a part of it.

    Args:
      model: with its parameters.
      text: the windows; how many hold a target does not matter.
      carry: the state before the first; zero for `predict=last`.

    Returns:
      The state after the last; negative log-likelihoods of the targets in nats, f32[W, N], 0 where
      there is none; what the softmax saw, f32[W, N, D].
    """
    sliding = text.targets.ndim == 2

    def body(
        before: tuple[Carry, ...], window: tuple[Array, Array]
    ) -> tuple[tuple[Carry, ...], tuple[Array, Array]]:
        after, losses, features = _read(model, *window, before)
        return (before if sliding else after), (losses, features)

    carry, (losses, features) = lax.scan(body, carry, (text.inputs, text.targets))
    return carry, losses, features


def _read(
    model: LanguageModel, inputs: Array, targets: Array, carry: tuple[Carry, ...]
) -> tuple[tuple[Carry, ...], Array, Array]:
    """One window: the state after it, losses f32[N] and features f32[N, D]."""
    features, carry = model.features(inputs, carry)
    features = features[-1] if targets.ndim == 1 else features.reshape(-1, features.shape[-1])
    targets = targets.reshape(-1)
    losses = model.output.evaluation_loss(features, jnp.maximum(targets, 0))
    return carry, jnp.where(targets >= 0, losses, 0.0), features


def mean_loss(sums: ArrayLike, tokens: int, train: TrainConfig) -> float:
    """Nats per predicted token of a text of `tokens` tokens; perplexity is its exponential."""
    return float(np.asarray(sums, np.float64).sum() / num_predictions(tokens, train))


def perplexity(loss: float) -> float:
    """exp(loss); infinite where that is too large for a float."""
    try:
        return math.exp(loss)
    except OverflowError:
        return math.inf
