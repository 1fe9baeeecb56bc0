"""The word vectors of a model, for TensorBoard's projector."""

import numpy as np

from lm.data.vocabulary import Vocabulary
from lm.rows import TABLES, Params
from sweeps.views import Embedding


def most_frequent(vocabulary: Vocabulary, count: int, params: Params) -> dict[str, Embedding]:
    """The most frequent words' vectors, at most so many.

    `embedding` has those that the recurrence reads, `output` those that the softmax compares its
    features with, unless they are the same; beside them each word and how often it occurs in the
    training text.
    """
    words, counts = vocabulary.words[:count], vocabulary.counts[:count]  # sorted by frequency
    rows = [(word, str(n)) for word, n in zip(words, counts, strict=True)]
    columns = ("word", "frequency")
    return {
        # Cut on the device: a vocabulary may be large.
        name: Embedding(np.asarray(params[name]["weight"][: len(rows)]), rows, columns)
        for name in TABLES
        if "weight" in params[name]
    }
