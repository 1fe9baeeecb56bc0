"""What training drops at random: units, whole words, recurrent weights.

What is kept is divided by its share, so that expectations are those of evaluation, which drops
nothing. T time, B batch.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from lm.backend.data_parallel import shard
from lm.config.schema import ModelConfig


class DropoutRates(NamedTuple):
    """Shares that are dropped; None: nothing is, which is other code than a share of 0."""

    inputs: Array | None = None
    """Units of the word vectors."""
    between: Array | None = None
    """Units between two recurrent layers."""
    outputs: Array | None = None
    """Units that the last recurrent layer gives."""
    words: Array | None = None
    """Rows of the embedding."""
    weights: Array | None = None
    """Single weights of the recurrent kernels."""


def dropout_rates(config: ModelConfig) -> DropoutRates:
    """Those of a configuration."""
    inputs, outputs = config.input_dropout, config.output_dropout
    shards = (
        config.dropout if inputs is None else inputs,
        config.dropout,
        config.dropout if outputs is None else outputs,
        config.embedding_dropout,
        config.weight_drop,
    )
    return DropoutRates(*(jnp.float32(share) if share > 0 else None for share in shards))


_WORDS, _WEIGHTS = 1 << 16, 1 << 17
"""What the key is folded with for these masks; for those of units, with their place."""


class Dropout(NamedTuple):
    """What one window drops; each place has masks of its own, drawn anew for each window."""

    rates: DropoutRates = DropoutRates()
    key: Array | None = None
    """None: where nothing is dropped."""
    shards: int = 1
    """Devices that the sequences are sharded over; what is dropped does not hang on it."""

    def units(self, x_tbh: Array, rate: Array | None, place: int, *, locked: bool) -> Array:
        """Drop units of a non-recurrent connection.

        Args:
          x_tbh: [T, B, any].
          rate: one of `dropout_rates`.
          place: number of the connection.
          locked: one mask for all time steps (Gal & Ghahramani 2016); else one for each (Zaremba
            et al. 2014, section 3.1). Each sequence has its own either way.
        """
        if rate is None:
            return x_tbh
        steps, streams, width = x_tbh.shape
        shape = (1 if locked else steps, self.shards * streams, width)
        kept = shard(self._kept(place, rate, shape), self.shards, axis=1)
        return jnp.where(kept, x_tbh / (1 - rate), 0.0)

    def words(self, x_tbe: Array, ids_tb: Array, rows: int) -> Array:
        """Drop words: wherever one occurs in the window, its vector is zero (Gal & Ghahramani 2016,
        section 4.2).

        Args:
          x_tbe: vectors of the words.
          ids_tb: i32[T, B], the words, as rows of a table.
          rows: of that table.
        """
        rate = self.rates.words
        if rate is None:
            return x_tbe
        kept_tb = self._kept(_WORDS, rate, (rows,))[ids_tb]
        return jnp.where(kept_tb[:, :, None], x_tbe / (1 - rate), 0.0)

    def weights(self, kernel: Array, layer: int) -> Array:
        """Drop weights of a layer, for all time steps and sequences the same ones: DropConnect (Wan
        et al. 2013) on recurrent weights (Merity et al. 2018, section 2)."""
        rate = self.rates.weights
        if rate is None:
            return kernel
        return jnp.where(self._kept(_WEIGHTS + layer, rate, kernel.shape), kernel / (1 - rate), 0.0)

    def _kept(self, place: int, rate: Array, shape: tuple[int, ...]) -> Array:
        assert self.key is not None
        return jax.random.bernoulli(jax.random.fold_in(self.key, place), 1 - rate, shape)


NO_DROPOUT = Dropout()
"""As in evaluation."""
