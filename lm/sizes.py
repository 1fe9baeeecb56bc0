"""Widths of a model's parts; plain arithmetic without JAX."""

from lm.options import ModelConfig


def rnn_sizes(model: ModelConfig) -> list[int]:
    """Of the recurrent layers, from the first to the last."""
    return [model.rnn_size] * (model.layers - 1) + [model.last_size or model.rnn_size]
