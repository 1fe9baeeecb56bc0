"""Word vectors of a model for TensorBoard's projector."""

import jax
import numpy as np
from jax import Array
from numpy.typing import NDArray

from lm.data.vocabulary import Vocabulary
from lm.model.types import TABLES, Params
from sweeps.tensorboard import Embedding


def projector_embeddings(
    vocabulary: Vocabulary, count: int, params: Params
) -> dict[str, Embedding]:
    """Vectors of the most frequent words, at most `count`, with each word and its frequency.

    `embedding` has the vectors that the recurrence reads, `output` those that the softmax compares
    its features with, unless the two are tied. Frequencies are those of the training text.
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
    """Copy the first rows to the host.

    On a CPU the table is read as it is, which compiles nothing. On other devices it is cut there
    first, for it may be large.
    """
    if jax.default_backend() != "cpu":
        table = table[:rows]
    return np.array(np.asarray(table)[:rows])  # a copy, for training uses its buffers up
