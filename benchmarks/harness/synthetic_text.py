"""A made-up text whose words are as unequally frequent as those of a real one."""

import math

import numpy as np
from numpy.typing import NDArray

from lm.config import Config

EPOCH_STEPS = 100
"""Steps that one epoch of the text takes."""


def synthetic_text(config: Config) -> NDArray[np.int32]:
    """Draw words log-uniformly (Zipf's law), so that rows are touched as in a real text."""
    vocab_size, train = config.data.vocab_size, config.train
    assert vocab_size is not None
    length = train.batch_size * (train.sequence_length * EPOCH_STEPS + 1)
    draws = np.random.default_rng(0).random(length)
    ids = np.exp(draws * math.log(vocab_size + 1)).astype(np.int32) - 1
    return np.minimum(ids, vocab_size - 1)
