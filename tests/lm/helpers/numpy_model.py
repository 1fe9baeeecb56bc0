"""The model by itself, in NumPy and float64."""

from typing import Any

import jax
import numpy as np


def numpy_loss(
    params: Any, carry: Any, inputs: np.ndarray, targets: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Mean loss of one layer's LSTM (Zaremba et al. 2014, section 3), and its last h and c."""
    p = jax.tree.map(lambda x: np.asarray(x, np.float64), params)
    (h, c), layer, losses = (np.asarray(x, np.float64) for x in carry[0]), p["layers"][0], []

    def sigmoid(x: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-x))

    for time, words in enumerate(inputs):
        x = p["embedding"]["weight"][words]
        z = x @ layer["input_kernel"] + h @ layer["recurrent_kernel"] + layer["bias"]
        i, f, g, o = np.split(z, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        features = np.tanh(h @ p["hidden"]["kernel"] + p["hidden"]["bias"])
        logits = features @ p["output"]["weight"].T + p["output"]["bias"]
        chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        if targets.ndim == 2:
            losses.append(-np.log(chances[np.arange(len(words)), targets[time]]))
    if targets.ndim == 1:
        losses.append(-np.log(chances[np.arange(len(targets)), targets]))
    return float(np.mean(losses)), h, c
