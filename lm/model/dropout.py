"""Dropout of units, of whole words and of recurrent weights: masks, drawn once for a batch.

What is kept is divided by the share that is kept, so that expectations are those of evaluation,
which drops nothing. The masks are drawn before the model reads the batch and travel with it, so
that the layers need no random numbers and need not know over how many devices a batch is sharded.

T time, B batch, E embed, H units of a layer, G gates.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from lm.config import ModelConfig
from lm.config.sizes import GATES, layer_sizes


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
    """Rates of a configuration, as f32 scalars."""

    def rate(share: float) -> Array | None:
        return jnp.float32(share) if share > 0 else None

    inputs, outputs = config.input_dropout, config.output_dropout
    return DropoutRates(
        inputs=rate(config.dropout if inputs is None else inputs),
        between=rate(config.dropout),
        outputs=rate(config.dropout if outputs is None else outputs),
        words=rate(config.embedding_dropout),
        weights=rate(config.weight_drop),
    )


class DropoutMasks(NamedTuple):
    """What one batch keeps; True where a number is kept. `NO_DROPOUT` keeps everything."""

    rates: DropoutRates = DropoutRates()
    units: tuple[Array | None, ...] = ()
    """bool[T, B, width], or bool[1, B, width] where one mask serves all time steps: of the word
    vectors, then of each recurrent layer's outputs. None: all are kept."""
    words: Array | None = None
    """bool[T, B]: whether the word that is read there is kept."""
    weights: tuple[Array | None, ...] = ()
    """bool[H, G * H]: of each layer's recurrent kernel."""

    def drop_units(self, x_tbh: Array, connection: int) -> Array:
        """Drop units of a non-recurrent connection.

        Args:
          x_tbh: what passes through it, [T, B, width].
          connection: 0 after the embedding, k after the k-th recurrent layer.
        """
        if not self.units or (kept := self.units[connection]) is None:
            return x_tbh
        rate = _unit_rates(self.rates, len(self.units) - 1)[connection]
        assert rate is not None
        return jnp.where(kept, x_tbh / (1 - rate), 0.0)

    def drop_words(self, x_tbe: Array) -> Array:
        """Drop words: wherever one occurs in the batch, its vector is zero (Gal & Ghahramani 2016,
        section 4.2).

        Args:
          x_tbe: vectors of the words, [T, B, E].
        """
        if self.words is None:
            return x_tbe
        assert self.rates.words is not None
        return jnp.where(self.words[:, :, None], x_tbe / (1 - self.rates.words), 0.0)

    def drop_weights(self, kernel: Array, layer: int) -> Array:
        """Drop recurrent weights, the same ones for all time steps and sequences: DropConnect (Wan
        et al. 2013) on recurrent weights (Merity et al. 2018, section 2).

        Args:
          kernel: of a layer, [H, G * H].
          layer: its number, from 0.
        """
        if not self.weights or (kept := self.weights[layer]) is None:
            return kernel
        assert self.rates.weights is not None
        return jnp.where(kept, kernel / (1 - self.rates.weights), 0.0)


NO_DROPOUT = DropoutMasks()
"""Keeps everything, as evaluation does."""

_WORDS, _WEIGHTS = 1 << 16, 1 << 17
"""What the key is folded with for these masks; for those of units, with their connection."""


def draw_masks(
    config: ModelConfig, rates: DropoutRates, key: Array, ids_tb: Array, *, n_rows: int
) -> DropoutMasks:
    """Draw the masks of one batch; each place has a mask of its own.

    Args:
      config: sizes of the model. `dropout_kind=locked`: one mask of units for all time steps (Gal &
        Ghahramani 2016); else one for each (Zaremba et al. 2014, section 3.1). Each sequence has
        its own either way.
      rates: shares to drop.
      key: of this batch.
      ids_tb: i32[T, B], the words that are read, as rows of the embedding.
      n_rows: rows that the embedding has.
    """

    def kept(place: int, rate: Array, shape: tuple[int, ...]) -> Array:
        return jax.random.bernoulli(jax.random.fold_in(key, place), 1 - rate, shape)

    steps, batch_size = ids_tb.shape
    sizes = [units for _, units in layer_sizes(config)]
    mask_steps = 1 if config.dropout_kind == "locked" else steps
    unit_rates = _unit_rates(rates, len(sizes))
    words = None if rates.words is None else kept(_WORDS, rates.words, (n_rows,))[ids_tb]
    return DropoutMasks(
        rates=rates,
        units=tuple(
            None if rate is None else kept(place, rate, (mask_steps, batch_size, width))
            for place, (rate, width) in enumerate(
                zip(unit_rates, [config.embed_size, *sizes], strict=True)
            )
        ),
        words=words,
        weights=tuple(
            None
            if rates.weights is None
            else kept(_WEIGHTS + layer, rates.weights, (size, GATES[config.cell] * size))
            for layer, size in enumerate(sizes)
        ),
    )


def stream_axes(masks: DropoutMasks) -> DropoutMasks:
    """Axis of the sequences in each array of the masks; -1 where an array has none."""
    no_axis, axis_1 = (lambda _: -1), (lambda _: 1)
    return DropoutMasks(
        rates=jax.tree.map(no_axis, masks.rates),
        units=jax.tree.map(axis_1, masks.units),
        words=jax.tree.map(axis_1, masks.words),
        weights=jax.tree.map(no_axis, masks.weights),
    )


def _unit_rates(rates: DropoutRates, n_layers: int) -> list[Array | None]:
    """Rate of each non-recurrent connection, from the embedding to the last layer's outputs."""
    return [rates.inputs, *[rates.between] * (n_layers - 1), rates.outputs]
