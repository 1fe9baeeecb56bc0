"""Parameters and carries, as all of `lm` passes them around."""

from typing import Any

from jax import Array

Params = dict[str, Any]


TABLES = ("embedding", "output")
"""Groups of parameters whose arrays have a row for each word; with tied weights the second has but
a bias, and its words are rows of the first."""


def is_tied(params: Params) -> bool:
    """Whether the softmax's weights are the embedding's (`model.tie_weights`)."""
    return "weight" not in params["output"]


Carry = tuple[Array, ...]
"""The state between two time steps, each [B, H]: (h,) for rnn and gru, (h, c) for lstm."""
