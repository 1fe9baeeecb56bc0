"""A text read by a trained model: the log-probability of each word, in the text's order."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from lm.config import TrainConfig
from lm.config.sizes import feature_size
from lm.data.batches import Ids
from lm.data.windows import context_size, num_predictions
from lm.evaluation.neural_cache import CacheSetting, CacheState, advance_cache, init_cache
from lm.model.types import Carry, Params
from lm.training.functions import CompiledFunctions
from lm.training.heldout import HeldOut, make_windows, window_size, word_losses
from lm.training.load import TrainedModel
from lm.training.state import StepSpec
from sweeps.errors import UserError

MAX_FEATURES = 2**22
"""Features that are held at a time, so that a text of any length fits."""


class TextScores(NamedTuple):
    """Log-probabilities of the N words of a text that are predicted."""

    log_probs: NDArray[np.float64]
    """[N], in nats; the first is of the text's word number `context_size`."""
    cache_log_probs: NDArray[np.float32]
    """[S, N]: by each setting's cache alone; NaN where it is empty."""


def evaluation_config(trained: TrainedModel, streams: int | None) -> TrainConfig:
    """The options that say how a text is read.

    Args:
      trained: the model.
      streams: number of pieces, each read from a zero state; None: as its trial evaluates.

    Raises:
      UserError: the model reads a window of its own for each word.
    """
    train = trained.config.train
    if streams is None:
        return train
    if train.predict == "last":
        raise UserError(
            "--batch-size has no meaning for a model trained with train.predict=last, which reads "
            "a window of its own for each word; leave it out."
        )
    return replace(train, eval_batch_size=streams)


def score_tokens(
    trained: TrainedModel, ids: Ids, train: TrainConfig, settings: Sequence[CacheSetting]
) -> TextScores:
    """Predict each word of a text.

    Args:
      trained: the model.
      ids: the text.
      train: its `evaluation_config`.
      settings: windows and thetas of the caches that predict the words, too.

    Raises:
      UserError: there is nothing to predict.
    """
    count, first = num_predictions(len(ids), train), context_size(train)
    width = feature_size(trained.config.model)
    size = window_size(train)
    # A power of two, so that texts of many lengths share few programs.
    at_once = min(max(1, MAX_FEATURES // (size * width)), 1 << (-(-count // size) - 1).bit_length())
    room = -(-count // (at_once * size)) * at_once * size
    text = make_windows(ids, train, room)
    # On the host: cutting on the device would compile something for each part.
    inputs, targets = np.asarray(text.inputs), np.asarray(text.targets)
    # Where each prediction stands in the text: the targets of a text of its own word numbers.
    places = np.asarray(make_windows(np.arange(len(ids), dtype=np.int32), train, room).targets)
    log_probs = np.full(count, np.nan)
    cache_log_probs = np.full((len(settings), count), np.nan, np.float32)
    carry = trained.zero_carry(text.inputs.shape[-1])
    read_windows = compile_reading(trained.functions)
    caches = _Caches(settings, most=len(ids)) if settings else None
    for start in range(0, len(places), at_once):
        part = slice(start, start + at_once)
        windows = HeldOut(jnp.asarray(inputs[part]), jnp.asarray(targets[part]), text.windows)
        carry, losses, features = read_windows(trained.params, windows, carry)
        here = places[part].reshape(-1)
        real = here >= 0
        log_probs[here[real] - first] = -np.asarray(losses, np.float64).reshape(-1)[real]
        if caches:
            found = caches.log_probs(windows, features)
            cache_log_probs[:, here[real] - first] = found[:, real]
    return TextScores(log_probs=log_probs, cache_log_probs=cache_log_probs)


@lru_cache(maxsize=8)
def compile_reading(
    functions: CompiledFunctions,
) -> Callable[[Params, HeldOut, tuple[Carry, ...]], tuple[tuple[Carry, ...], Array, Array]]:
    """Compile the reading of windows, once for all models that share their functions.

    The function takes parameters, windows and the state before them. It gives the state after
    them, the negative log-likelihood of each target and the features that the softmax saw; see
    `lm.training.heldout.word_losses`.
    """
    compiled: Callable[..., tuple[tuple[Carry, ...], Array, Array]] = functions.compile_beside(
        _read_windows, multiplies=True
    )
    return compiled


def _read_windows(
    spec: StepSpec, params: Params, windows: HeldOut, carry: tuple[Carry, ...]
) -> tuple[tuple[Carry, ...], Array, Array]:
    return word_losses(spec.merge(params), windows, carry)


class _Caches:
    """Caches that read the parts of a text one after another; each stream has its own state."""

    def __init__(self, settings: Sequence[CacheSetting], most: int) -> None:
        windows, thetas = zip(*settings, strict=True)
        self._windows = jnp.array(np.minimum(windows, most), jnp.int32)
        self._thetas = jnp.array(thetas, jnp.float32)
        self._kept = min(max(windows), most)
        self._state: CacheState | None = None

    def log_probs(self, text: HeldOut, features: jnp.ndarray) -> NDArray[np.float32]:
        """Log-probabilities of a part's targets, in the order of their layout; [S, ...]."""
        # Windows of one word each, side by side, are a single stream.
        streams = text.targets.shape[-1] if text.targets.ndim == 3 else 1
        words = text.targets.reshape(-1, streams)
        features = features.reshape(*words.shape, -1)
        if self._state is None:
            self._state = init_cache(self._kept, streams, features.shape[-1])
        self._state, found = advance_cache(
            self._state, features, words, self._windows, self._thetas
        )
        return np.asarray(found).reshape(len(self._windows), -1)
