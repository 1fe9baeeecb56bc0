"""Candidate sampler of `lm.losses.candidate_sampler` in NumPy, for PyTorch and Flax."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Candidates(NamedTuple):
    """One draw of different word ids, shared by a whole batch."""

    ids: NDArray[np.int64]
    """[S]."""
    tries: int
    """Draws it took, repeated ids included."""


class LogUniform:
    """Draws ids, P(k) = log((k + 2) / (k + 1)) / log(V + 1), until S are different."""

    def __init__(self, samples: int, vocab_size: int, seed: int = 0) -> None:
        self.samples = samples
        self.scale = math.log1p(vocab_size)
        self.generator = np.random.default_rng(seed)

    def draw(self) -> Candidates:
        """The first S different ids of an endless sequence of draws."""
        draws = np.empty(0, np.int64)
        places = draws
        while len(places) < self.samples:
            block = np.exp(self.generator.random(2 * self.samples) * self.scale)
            draws = np.concatenate([draws, block.astype(np.int64) - 1])
            places = np.sort(np.unique(draws, return_index=True)[1])
        places = places[: self.samples]
        return Candidates(draws[places], int(places[-1]) + 1)
