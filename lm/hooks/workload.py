"""How much a trial computes relative to others, so that a sweep can start the longest first.

Plain arithmetic for the driver, without JAX and without the text; `lm.hooks.cost` measures.
"""

from collections.abc import Mapping
from typing import Any

from lm.config import DataConfig, LossConfig, ModelConfig, TrainConfig
from lm.config.sizes import GATES, layer_sizes

WORDS = 10_000
"""Assumed types of a text that keeps all its words, for the text is not read here."""
UPDATE = 10
"""Multiplications that take as long as updating one parameter, which waits for memory."""


def relative_cost(raw_config: Mapping[str, Any]) -> float:
    """Return multiplications for each word of the text in all epochs, to compare trials with.

    Counted are the matrix products of training and of evaluation and the parameters' updates, rows
    of tables left out. Texts are taken to be equally long.

    Args:
      raw_config: a configuration that has been checked, so that thousands take no time.
    """
    data, loss = DataConfig(**raw_config["data"]), LossConfig(**raw_config["loss"])
    train = TrainConfig(**raw_config["train"])
    recurrent, features = _weights(ModelConfig(**raw_config["model"]))
    vocab_size = data.vocab_size or WORDS
    compared = vocab_size if loss.kind == "softmax" else loss.samples + 1
    # With `predict=last` each word is the target of one window, which reads as many before it.
    length = train.sequence_length
    reads, steps = (length, 1) if train.predict == "last" else (1, length)
    trained = 3 * (reads * recurrent + features * compared)  # forward, and twice as much back
    streams = train.batch_size * int(raw_config["train"].get("accumulate", 1))
    updated = UPDATE * recurrent / (streams * steps)
    held_out = data.valid_fraction * (reads * recurrent + features * vocab_size)
    return train.epochs * (trained + updated + held_out)


def _weights(model: ModelConfig) -> tuple[int, int]:
    """Return the weights that multiply a word's vector, and the width of what the softmax sees."""
    sizes = layer_sizes(model)
    layers = GATES[model.cell] * sum(n * (m + n) for m, n in sizes)
    _, outputs = sizes[-1]
    if model.hidden_size is None:
        return layers, outputs
    return layers + outputs * model.hidden_size, model.hidden_size
