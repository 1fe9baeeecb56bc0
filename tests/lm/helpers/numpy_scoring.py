"""Reading a text one word at a time, in NumPy and float64, and a cache as its paper has it."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import jax
import numpy as np


def read_words(params: Any, cell: str, ids: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Log-probabilities of all words but the first, [N], and the features before each, [N, D]."""
    p = jax.tree.map(lambda x: np.asarray(x, np.float64), params)
    layers = [p["layers"][i] for i in sorted(p["layers"])]
    states = [(np.zeros(len(layer["recurrent_kernel"])),) * 2 for layer in layers]
    log_probs, seen = [], []
    for word, after in pairwise(ids):
        x = p["embedding"]["weight"][word]
        for i, layer in enumerate(layers):
            states[i] = STEPS[cell](layer, x, *states[i])
            x = states[i][0]
        if "hidden" in p:
            x = np.tanh(x @ p["hidden"]["kernel"] + p["hidden"]["bias"])
        logits = p["output"]["weight"] @ x + p["output"]["bias"]
        log_probs.append(logits[after] - np.log(np.exp(logits).sum()))
        seen.append(x)
    return np.array(log_probs), np.array(seen)


def cached(
    log_probs: np.ndarray,
    seen: np.ndarray,
    words: Sequence[int],
    window: int,
    share: float,
    theta: float,
) -> np.ndarray:
    """Log-probabilities with a cache (Grave et al. 2017, section 3).

    They are those of the words after each of `seen`, [N].
    """
    found = []
    for t, word in enumerate(words):
        votes: dict[int, float] = {}
        for i in range(max(0, t - window), t):
            weight = float(np.exp(theta * seen[t] @ seen[i]))
            votes[words[i]] = votes.get(words[i], 0.0) + weight
        p = np.exp(log_probs[t])
        if votes:
            p = (1 - share) * p + share * votes.get(word, 0.0) / sum(votes.values())
        found.append(np.log(p))
    return np.array(found)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _rnn(layer: Any, x: np.ndarray, h: np.ndarray, _: np.ndarray) -> tuple[np.ndarray, ...]:
    h = np.tanh(x @ layer["input_kernel"] + h @ layer["recurrent_kernel"] + layer["bias"])
    return h, h


def _gru(layer: Any, x: np.ndarray, h: np.ndarray, _: np.ndarray) -> tuple[np.ndarray, ...]:
    x_r, x_z, x_n = np.split(x @ layer["input_kernel"] + layer["bias"], 3)
    u_r, u_z, u_n = np.split(h @ layer["recurrent_kernel"], 3)
    n = np.tanh(x_n + _sigmoid(x_r + u_r) * (u_n + layer["recurrent_bias"]))
    z = _sigmoid(x_z + u_z)
    h = (1 - z) * n + z * h
    return h, h


def _lstm(layer: Any, x: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, ...]:
    z = x @ layer["input_kernel"] + h @ layer["recurrent_kernel"] + layer["bias"]
    i, f, g, o = np.split(z, 4)
    c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
    return _sigmoid(o) * np.tanh(c), c


STEPS = {"rnn": _rnn, "gru": _gru, "lstm": _lstm}
