"""How long a trial trains beside others, so that a sweep can start the longest first.

Plain arithmetic for the driver, without JAX and without the text; `lm.hooks.cost` measures.
"""

from collections.abc import Mapping
from typing import Any

from lm.config import DataConfig, LossConfig, ModelConfig, TrainConfig
from lm.config.sizes import GATES, layer_sizes

WORDS = 10_000
"""Vocabulary of a text that keeps all its words, which is not read here."""
UPDATE = 10
"""Multiplications that take as long as updating one parameter: memory is slower than arithmetic."""


def relative_cost(values: Mapping[str, Any]) -> float:
    """Multiplications for each word of the text, in all epochs; of use beside others alone.

    Counted are the matrix products of training and of evaluation and the parameters' updates, rows
    of tables left out. Texts are taken to be equally long.

    Args:
      values: a configuration that has been checked, so that thousands take no time.
    """
    data, loss = DataConfig(**values["data"]), LossConfig(**values["loss"])
    train = TrainConfig(**values["train"])
    recurrent, features = _weights(ModelConfig(**values["model"]))
    vocab_size = data.vocab_size or WORDS
    compared = vocab_size if loss.kind == "softmax" else loss.samples + 1
    # With `predict=last` each word is the target of one window, which reads as many before it.
    length = train.sequence_length
    reads, steps = (length, 1) if train.predict == "last" else (1, length)
    trained = 3 * (reads * recurrent + features * compared)  # forward, and twice as much back
    updated = UPDATE * recurrent / (train.batch_size * steps)
    held_out = data.valid_fraction * (reads * recurrent + features * vocab_size)
    return train.epochs * (trained + updated + held_out)


def _weights(model: ModelConfig) -> tuple[int, int]:
    """Weights by which a word's vector is multiplied, and the width of what the softmax sees."""
    sizes = layer_sizes(model)
    layers = GATES[model.cell] * sum(n * (m + n) for m, n in sizes)
    _, outputs = sizes[-1]
    if model.hidden_size is None:
        return layers, outputs
    return layers + outputs * model.hidden_size, model.hidden_size
