"""Widths of a model's parts, and how much is computed at once; plain arithmetic without JAX."""

from itertools import pairwise

from lm.options import ModelConfig

AHEAD = 256
"""Updates in a call of the compiled program, at most: chance is drawn for so many at once."""


def rnn_sizes(model: ModelConfig) -> list[int]:
    """Of the recurrent layers, from the first to the last."""
    return [model.rnn_size] * (model.layers - 1) + [model.last_size or model.rnn_size]


def layer_sizes(model: ModelConfig) -> list[tuple[int, int]]:
    """Inputs and units of each recurrent layer, from the first to the last."""
    return list(pairwise([model.embed_size, *rnn_sizes(model)]))


def softmax_words(platform: str, *, one_thread: bool = False) -> int:
    """Words whose logits an evaluation computes at once: on a CPU those of a window's tokens fit
    into its cache; several threads, and a GPU the more, are not kept busy by so few."""
    if platform != "cpu":
        return 8192
    return 256 if one_thread else 512
