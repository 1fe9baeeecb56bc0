"""The language model: embedding -> stacked recurrence -> tanh hidden layer -> N-way softmax.

Sequences are time-major inside the model (T time, B batch, V vocabulary, E embed, H the layer's
units, D the width of the features that the softmax sees), so that a time step is one contiguous
slice.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array, lax

from lm.backend.matmul import matmul
from lm.config.schema import ModelConfig
from lm.config.sizes import layer_sizes
from lm.model import cudnn_lstm
from lm.model.cells import CELLS, RecurrentWeights, zero_carry
from lm.model.dropout import NO_DROPOUT, Dropout
from lm.model.initializers import (
    Initializer,
    InitScales,
    init_scales,
    matrix_initializer,
    to_device,
    uniform,
    zeros,
)
from lm.model.recurrence import LayerWeights, recur, recur_kept, recur_watched
from lm.model.types import Carry


class Embedding(nnx.Module):
    """Word vectors: one row of [V, E] for each id."""

    def __init__(self, vocab_size: int, size: int, scale: float, *, rngs: nnx.Rngs) -> None:
        self.weight = nnx.Param(uniform(scale)(rngs.params(), (vocab_size, size)))

    def __call__(self, ids_tb: Array) -> Array:
        return self.weight[...][ids_tb]


class Recurrence(nnx.Module):
    """One recurrent layer over a whole sequence."""

    def __init__(
        self,
        kind: str,
        inputs: int,
        size: int,
        config: ModelConfig,
        *,
        by: str = "scan",
        rngs: nnx.Rngs,
        start: InitScales | None = None,
    ) -> None:
        self.cell = CELLS[kind]
        self.by = by
        self.size = size
        start = start or init_scales(config)
        initialize = matrix_initializer(config.initializer, start.matrices)
        width = self.cell.gates * size
        bias = np.zeros(width, np.float32)
        if kind == "lstm":  # so that at the start it remembers (Jozefowicz et al. 2015)
            bias[size : 2 * size] = start.forget_bias
        self.input_kernel = nnx.Param(initialize(rngs.params(), (inputs, width)))
        self.recurrent_kernel = nnx.Param(initialize(rngs.params(), (size, width)))
        self.bias = nnx.Param(to_device(bias))
        self.recurrent_bias = nnx.Param(zeros(size)) if kind == "gru" else None

    def __call__(
        self, x_tbe: Array, carry: Carry, dropped: Callable[[Array], Array] | None = None
    ) -> tuple[Carry, Array]:
        """Read a sequence; `dropped` takes weights out of the recurrent kernel first."""
        bias = None if self.recurrent_bias is None else self.recurrent_bias[...]
        kernel = self.recurrent_kernel[...]
        recurrent = RecurrentWeights(dropped(kernel) if dropped else kernel, bias)
        weights = LayerWeights(self.input_kernel[...], self.bias[...], recurrent)
        if self.by == "cudnn":
            return cudnn_lstm.lstm(weights, carry, x_tbe)
        if self.by == "watched":
            return self._watched(weights, carry, x_tbe)
        if self.by == "itemised":
            return self._itemised(weights, carry, x_tbe)
        return recur(self.cell, weights, carry, x_tbe)

    def _watched(self, weights: LayerWeights, carry: Carry, x_tbe: Array) -> tuple[Carry, Array]:
        """The same, sowing outputs, gates and cell states."""
        carry, outputs, watched = recur_watched(self.cell, weights, carry, x_tbe)
        self.sow(nnx.Intermediate, "out", outputs)
        parts = jnp.split(watched.kept, max(len(self.cell.kept), 1), axis=-1)
        for name, part in zip(self.cell.kept, parts, strict=False):
            self.sow(nnx.Intermediate, name, part)
        for cell_state in watched.states[1:]:
            self.sow(nnx.Intermediate, "cell_state", cell_state)
            self.sow(nnx.Intermediate, "cell_out", jnp.tanh(cell_state))
        return carry, outputs

    def _itemised(self, weights: LayerWeights, carry: Carry, x_tbe: Array) -> tuple[Carry, Array]:
        """The same, cut off from the layers below, sowing all that a pass back in time needs.

        Gradients end here, in the last part of the carry, which is added to the outputs.
        """
        *start, push_tbh = carry
        inside = lax.stop_gradient((weights, tuple(start), x_tbe))
        end, outputs, kept = recur_kept(self.cell, *inside)
        self.sow(nnx.Intermediate, "kept", kept._replace(x_tbe=x_tbe))
        return (*end, push_tbh), outputs + push_tbh

    def zero_carry(self, batch_size: int) -> Carry:
        return zero_carry(self.cell, batch_size, self.size)


class Hidden(nnx.Module):
    """tanh(x W + b), between the recurrence and the softmax."""

    def __init__(self, inputs: int, size: int, initialize: Initializer, *, rngs: nnx.Rngs) -> None:
        self.kernel = nnx.Param(initialize(rngs.params(), (inputs, size)))
        self.bias = nnx.Param(zeros(size))

    def __call__(self, x_tbh: Array) -> Array:
        return jnp.tanh(matmul(x_tbh, self.kernel[...]) + self.bias[...][None, None, :])


class Output(nnx.Module):
    """The softmax's weights, one row of [V, D] for each word, so that losses can pick rows."""

    def __init__(
        self,
        vocab_size: int,
        inputs: int,
        initialize: Initializer,
        *,
        tied: nnx.Param[Array] | None = None,
        rngs: nnx.Rngs,
    ) -> None:
        """Draw the weights, unless they are `tied`: the parameter of another module, and its own
        place among the parameters stays empty."""
        if tied is None:
            tied = nnx.Param(initialize(rngs.params(), (vocab_size, inputs)))
        self.weight = tied
        self.bias = nnx.Param(zeros(vocab_size))


class Read(NamedTuple):
    """What a model gives for each word that it reads."""

    features: Array
    """What the softmax sees, f32[T, B, D]."""
    outputs: Array
    """Of the last recurrent layer, [T, B, H]."""
    dropped: Array
    """The same after dropout."""


class LanguageModel(nnx.Module):
    """A word-level (or character-level) recurrent language model."""

    def __init__(
        self,
        config: ModelConfig,
        vocab_size: int,
        *,
        recurrence: str = "scan",
        rngs: nnx.Rngs,
        start: InitScales | None = None,
    ) -> None:
        """Draw its parameters.

        Args:
          config: sizes and distributions.
          vocab_size: words.
          recurrence: how the layers compute; see `lm.backend.execution`. `watched`: as `scan`, and
          what goes
            on inside is sown, for `nnx.capture`. `itemised`: for `lm.gradient_flow`.
          rngs: of the parameters.
          start: scales of the distributions; None: the configuration's.
        """
        start = start or init_scales(config)
        self.watched = recurrence == "watched"
        self.locked = config.dropout_kind == "locked"
        initialize = matrix_initializer(config.initializer, start.matrices)
        by_row = matrix_initializer(config.initializer, start.matrices, fan_in_axis=-1)
        self.embedding = Embedding(vocab_size, config.embed_size, start.embedding, rngs=rngs)
        sizes = layer_sizes(config)
        self.layers = nnx.List(
            Recurrence(config.cell, inputs, size, config, by=recurrence, rngs=rngs, start=start)
            for inputs, size in sizes
        )
        _, features = sizes[-1]
        hidden = None
        if config.hidden_size is not None:
            hidden = Hidden(features, config.hidden_size, initialize, rngs=rngs)
            features = config.hidden_size
        self.hidden = nnx.data(hidden)
        tied = self.embedding.weight if config.tie_weights else None
        self.output = Output(vocab_size, features, by_row, tied=tied, rngs=rngs)

    def zero_carry(self, batch_size: int) -> tuple[Carry, ...]:
        """The state before the first word, one carry a layer."""
        return tuple(layer.zero_carry(batch_size) for layer in self.layers)

    def __call__(
        self, ids_tb: Array, carries: tuple[Carry, ...], dropout: Dropout = NO_DROPOUT
    ) -> tuple[Array, tuple[Carry, ...]]:
        """The same as `read`, and the features alone."""
        read, carries = self.read(ids_tb, carries, dropout)
        return read.features, carries

    def read(
        self, ids_tb: Array, carries: tuple[Carry, ...], dropout: Dropout = NO_DROPOUT
    ) -> tuple[Read, tuple[Carry, ...]]:
        """Read words.

        Args:
          ids_tb: i32[T, B].
          carries: the state before the first of them.
          dropout: of this window, in training.

        Returns:
          What is made of them, and the state after the last word.
        """
        x = self.embedding(ids_tb)
        self._show("embed_out", x)
        x = dropout.words(x, ids_tb, rows=self.embedding.weight.shape[0])
        x = dropout.units(x, dropout.rates.inputs, 0, locked=self.locked)
        outputs, after, last = x, [], len(self.layers) - 1
        for index, (layer, carry) in enumerate(zip(self.layers, carries, strict=True)):
            carry, outputs = layer(x, carry, partial(dropout.weights, layer=index))
            after.append(carry)
            rate = dropout.rates.outputs if index == last else dropout.rates.between
            x = dropout.units(outputs, rate, index + 1, locked=self.locked)
        features = x
        if self.hidden is not None:
            features = self.hidden(x)
            self._show("hid_out", features)
        return Read(features, outputs, dropped=x), tuple(after)

    def _show(self, name: str, x: Array) -> None:
        if self.watched:
            self.sow(nnx.Intermediate, name, x)
