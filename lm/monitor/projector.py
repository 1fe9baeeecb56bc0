"""The word vectors of a model, for TensorBoard's projector."""

import jax
import numpy as np
from jax import Array
from numpy.typing import NDArray

from lm.data.vocabulary import Vocabulary
from lm.model.types import TABLES, Params
from sweeps.tensorboard.values import Embedding


def projector_embeddings(
    vocabulary: Vocabulary, count: int, params: Params
) -> dict[str, Embedding]:
    """The most frequent words' vectors, at most so many.

    `embedding` has those that the recurrence reads, `output` those that the softmax compares its
    features with, unless they are the same; beside them each word and how often it occurs in the
    training text.
    """
    words, counts = vocabulary.words[:count], vocabulary.counts[:count]  # sorted by frequency
    rows = [(word, str(n)) for word, n in zip(words, counts, strict=True)]
    columns = ("word", "frequency")
    return {
        name: Embedding(_first_rows(params[name]["weight"], len(rows)), rows, columns)
        for name in TABLES
        if "weight" in params[name]
    }


def _first_rows(table: Array, rows: int) -> NDArray[np.float32]:
    """The first rows, on the host. A GPU's table, which may be large, is cut before it is fetched;
    a CPU's can be read as it is, which needs no program for its shape."""
    if jax.default_backend() != "cpu":
        table = table[:rows]
    return np.array(np.asarray(table)[:rows])  # a copy, for training uses its buffers up
