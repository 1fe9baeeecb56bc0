"""Widths of a model's parts; plain arithmetic without JAX."""

from lm.options import ModelConfig


def rnn_sizes(model: ModelConfig) -> list[int]:
    """Of the recurrent layers, from the first to the last."""
    return [model.rnn_size] * (model.layers - 1) + [model.last_size or model.rnn_size]


def softmax_words(platform: str) -> int:
    """Words whose logits an evaluation computes at once: on a CPU those of a window's tokens fit
    into its cache; a GPU is not kept busy by so few."""
    return 512 if platform == "cpu" else 8192
