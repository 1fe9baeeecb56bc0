"""The language model: embedding -> stacked recurrence -> tanh hidden layer -> softmax.

Sequences are time-major inside the model, so that a time step is one contiguous slice. T time,
B batch, V vocabulary, E embed, H units of a layer, D width of the features that the output layer
sees.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from lm.backend.matmul import matmul
from lm.config import ModelConfig
from lm.config.sizes import layer_sizes
from lm.model.cells import CELLS, LSTMCell, RecurrentCell
from lm.model.dropout import NO_DROPOUT, DropoutMasks
from lm.model.initializers import (
    Initializer,
    InitScales,
    init_scales,
    matrix_initializer,
    uniform,
    zeros,
)
from lm.model.output_layer import OutputLayer
from lm.model.recurrence import Scan, run_cell, with_recurrent_kernel
from lm.model.types import Carry


class Embedding(nnx.Module):
    """Word vectors: one row of [V, E] for each id."""

    def __init__(self, vocab_size: int, size: int, scale: float, *, rngs: nnx.Rngs) -> None:
        self.weight = nnx.Param(uniform(scale)(rngs.params(), (vocab_size, size)))

    def __call__(self, ids_tb: Array) -> Array:
        return self.weight[...][ids_tb]


class HiddenLayer(nnx.Module):
    """tanh(x W + b), between the recurrence and the softmax."""

    def __init__(self, inputs: int, size: int, initialize: Initializer, *, rngs: nnx.Rngs) -> None:
        self.kernel = nnx.Param(initialize(rngs.params(), (inputs, size)))
        self.bias = nnx.Param(zeros(size))

    def __call__(self, x_tbh: Array) -> Array:
        return jnp.tanh(matmul(x_tbh, self.kernel[...]) + self.bias[...][None, None, :])


class Activations(NamedTuple):
    """What the model computes on the way from words to logits."""

    embeddings: Array
    """Word vectors before dropout, [T, B, E]."""
    outputs: Array
    """Outputs of the last recurrent layer, [T, B, H]."""
    dropped_outputs: Array
    """`outputs` after dropout."""
    features: Array
    """What the output layer sees, f32[T, B, D]."""


class LanguageModel(nnx.Module):
    """A word-level (or character-level) recurrent language model.

    Example:
      model = LanguageModel(config.model, vocab_size, rngs=nnx.Rngs(params=jax.random.key(0)))
      logits_tbv, carry = model(ids_tb, model.zero_carry(batch_size))
    """

    def __init__(
        self,
        config: ModelConfig,
        vocab_size: int,
        *,
        rngs: nnx.Rngs,
        scales: InitScales | None = None,
        run_cell: Scan = run_cell,
    ) -> None:
        """Draw the parameters.

        Args:
          config: sizes and distributions.
          vocab_size: V.
          rngs: its stream `params` gives the keys of the parameters.
          scales: scales of the distributions; None: the configuration's.
          run_cell: runs a cell over a sequence; one of `lm.model.recurrence`.
        """
        scales = scales or init_scales(config)
        self.run_cell = run_cell
        initialize = matrix_initializer(config.initializer, scales.matrices)
        by_row = matrix_initializer(config.initializer, scales.matrices, fan_in_axis=-1)
        self.embedding = Embedding(vocab_size, config.embed_size, scales.embedding, rngs=rngs)
        sizes = layer_sizes(config)
        self.layers = nnx.List(
            make_cell(config, inputs, units, scales=scales, rngs=rngs) for inputs, units in sizes
        )
        _, features = sizes[-1]
        hidden = None
        if config.hidden_size is not None:
            hidden = HiddenLayer(features, config.hidden_size, initialize, rngs=rngs)
            features = config.hidden_size
        self.hidden = nnx.data(hidden)
        tied = self.embedding.weight if config.tie_weights else None
        self.output = OutputLayer(vocab_size, features, by_row, tied=tied, rngs=rngs)

    def zero_carry(self, batch_size: int) -> tuple[Carry, ...]:
        """Return the state before the first word, one carry a layer."""
        return tuple(cell.initialize_carry((batch_size, cell.in_features)) for cell in self.layers)

    def __call__(
        self, ids_tb: Array, carries: tuple[Carry, ...], dropout: DropoutMasks = NO_DROPOUT
    ) -> tuple[Array, tuple[Carry, ...]]:
        """Read words and return the logits of the words after them.

        Args:
          ids_tb: i32[T, B].
          carries: the state before the first word.
          dropout: masks of this batch, in training.

        Returns:
          Logits, f32[T, B, V], and the state after the last word.
        """
        features_tbd, carries = self.features(ids_tb, carries, dropout)
        return self.logits(features_tbd), carries

    def features(
        self, ids_tb: Array, carries: tuple[Carry, ...], dropout: DropoutMasks = NO_DROPOUT
    ) -> tuple[Array, tuple[Carry, ...]]:
        """Read words and return what the output layer sees of them, f32[T, B, D], and the state.

        Arguments as of a call. Losses that need the logits of few words start from here.
        """
        activations, carries = self.activations(ids_tb, carries, dropout)
        return activations.features, carries

    def logits(self, features: Array) -> Array:
        """Return the logits of all words: [..., D] -> [..., V]."""
        return self.output(features)

    def activations(
        self,
        ids_tb: Array,
        carries: tuple[Carry, ...],
        dropout: DropoutMasks = NO_DROPOUT,
        run_cell: Scan | None = None,
    ) -> tuple[Activations, tuple[Carry, ...]]:
        """Read words and return all that is computed on the way to the logits.

        Args:
          ids_tb, carries, dropout: as of a call.
          run_cell: runs the cells, from the first layer to the last, in place of the model's own
            way; an observer can look at each layer so.

        Returns:
          The activations, and the state after the last word.
        """
        run_cell = run_cell or self.run_cell
        with jax.named_scope("embedding"):
            embeddings = self.embedding(ids_tb)
        x = dropout.drop_units(dropout.drop_words(embeddings), 0)
        outputs, after = x, []
        for index, (cell, carry) in enumerate(zip(self.layers, carries, strict=True)):
            with jax.named_scope(f"layer_{index + 1}"):
                if dropout.rates.weights is not None:
                    kernel = dropout.drop_weights(cell.recurrent_kernel[...], index)
                    cell = with_recurrent_kernel(cell, kernel)
                carry, outputs = run_cell(cell, carry, x)
            after.append(carry)
            x = dropout.drop_units(outputs, index + 1)
        features = x
        if self.hidden is not None:
            with jax.named_scope("hidden"):
                features = self.hidden(x)
        activations = Activations(
            embeddings=embeddings, outputs=outputs, dropped_outputs=x, features=features
        )
        return activations, tuple(after)


def make_cell(
    config: ModelConfig, inputs: int, units: int, *, scales: InitScales, rngs: nnx.Rngs
) -> RecurrentCell:
    """Return the cell of one layer, its parameters drawn.

    Args:
      config: which cell, and how its kernels are drawn.
      inputs, units: E and H of the layer.
      scales: scales of the distributions.
      rngs: its stream `params` gives the keys.
    """
    kernel_init = matrix_initializer(config.initializer, scales.matrices)
    cell = CELLS[config.cell]
    if cell is LSTMCell:
        return LSTMCell(
            inputs, units, kernel_init=kernel_init, forget_bias=scales.forget_bias, rngs=rngs
        )
    return cell(inputs, units, kernel_init=kernel_init, rngs=rngs)
