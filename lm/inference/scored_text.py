"""A text and the log-probability of each of its tokens."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lm.training.heldout import perplexity


class ScoredText(NamedTuple):
    """A text as a model predicts it: N tokens, each from those before it."""

    tokens: list[str]
    """[N], the tokens that were predicted, as they stand in the text."""
    log_probs: NDArray[np.float64]
    """[N], the natural logarithm of the probability of each of `tokens`."""
    context: list[str]
    """The tokens at the start of the text, which are read and not predicted."""
    unknown: list[str]
    """The tokens of the text that the vocabulary lacks, each once; they are read and scored as
    <unk>."""

    @property
    def perplexity(self) -> float:
        """exp of the mean negative log-probability of `tokens`."""
        return perplexity(-float(self.log_probs.mean()))
