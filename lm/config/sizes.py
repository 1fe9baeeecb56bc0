"""Widths of a model's parts, and how much is computed at once; plain arithmetic without JAX."""

from itertools import pairwise

from lm.config.schema import ModelConfig

STEPS_PER_CALL = 256
"""Most updates in a call of the compiled program, whose random numbers are drawn together."""
GATES = {"rnn": 1, "gru": 3, "lstm": 4}
"""Gates of each cell, the candidate for its new state included."""


def num_parameters(model: ModelConfig, vocab_size: int) -> int:
    """Return how many numbers training changes."""
    sizes = layer_sizes(model)
    layers = GATES[model.cell] * sum(n * (m + n + 1) for m, n in sizes)
    hidden = sizes[-1][1] * model.hidden_size if model.hidden_size else 0
    vectors = feature_size(model) if model.tie_weights else model.embed_size + feature_size(model)
    return vocab_size * (vectors + 1) + layers + hidden


def parameter_shapes(model: ModelConfig, vocab_size: int) -> dict[str, tuple[int, ...]]:
    """Return the shape of each array of a model's parameters, by the keys on the way to it."""
    gates, features = GATES[model.cell], feature_size(model)
    found: dict[str, tuple[int, ...]] = {"embedding/weight": (vocab_size, model.embed_size)}
    for i, (inputs, units) in enumerate(layer_sizes(model)):
        found |= {
            f"layers/{i}/input_kernel": (inputs, gates * units),
            f"layers/{i}/recurrent_kernel": (units, gates * units),
            f"layers/{i}/bias": (gates * units,),
        }
        if model.cell == "gru":
            found[f"layers/{i}/recurrent_bias"] = (units,)
    if model.hidden_size is not None:
        outputs = rnn_sizes(model)[-1]
        found |= {"hidden/kernel": (outputs, features), "hidden/bias": (features,)}
    if not model.tie_weights:
        found["output/weight"] = (vocab_size, features)
    return {**found, "output/bias": (vocab_size,)}


def feature_size(model: ModelConfig) -> int:
    """Return the width of what the softmax sees."""
    return model.hidden_size or rnn_sizes(model)[-1]


def rnn_sizes(model: ModelConfig) -> list[int]:
    """Return the width of each recurrent layer, from the first to the last."""
    return [model.rnn_size] * (model.layers - 1) + [model.last_size or model.rnn_size]


def layer_sizes(model: ModelConfig) -> list[tuple[int, int]]:
    """Return inputs and units of each recurrent layer, from the first to the last."""
    return list(pairwise([model.embed_size, *rnn_sizes(model)]))


def softmax_chunk_size(platform: str, *, one_thread: bool = False) -> int:
    """Return how many words' logits an evaluation computes at once.

    On a CPU the logits of a window's tokens then fit into its cache; several threads need more
    words at once to be busy.
    """
    if platform != "cpu":
        return 8192
    return 256 if one_thread else 512
