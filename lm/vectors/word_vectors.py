"""Tables of word vectors: as gensim's KeyedVectors, and written to a file."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sweeps.errors import UserError

if TYPE_CHECKING:
    from gensim.models import KeyedVectors


TABLE_CHOICES = ("embedding", "output", "both")
"""Tables of a trial: the embedding, which the recurrence reads; the output weights, which the
softmax compares its features with; or both."""

SUFFIXES = (".txt", ".vec", ".bin", ".kv")
"""Suffixes of files with vectors: word2vec's text format (two suffixes), its binary format,
gensim's own. Files of the first three may be compressed, with a further .gz."""


class WordVectors(NamedTuple):
    """A table of word vectors: V words of D numbers each."""

    name: str
    """Name that the user sees: embedding, output, skipgram, ..."""
    words: list[str]
    """[V], by falling frequency."""
    counts: list[int] | None
    """Occurrences in the training text; None: not known."""
    matrix: NDArray[np.float32]
    """[V, D]."""


def file_suffix(path: Path) -> str:
    """The one of `SUFFIXES` that a file's name has, .gz left out; empty for none."""
    suffix = Path(path.stem).suffix if path.suffix == ".gz" else path.suffix
    return suffix if suffix in SUFFIXES else ""


def most_frequent(vectors: WordVectors, count: int | None) -> WordVectors:
    """Keep the most frequent words of a table, at most `count`; None: all."""
    counts = None if vectors.counts is None else vectors.counts[:count]
    return vectors._replace(
        words=vectors.words[:count], counts=counts, matrix=vectors.matrix[:count]
    )


def to_keyed_vectors(vectors: WordVectors) -> "KeyedVectors":
    """Convert a table to gensim's KeyedVectors; the import of gensim takes seconds."""
    from gensim.models import KeyedVectors

    found = KeyedVectors(vectors.matrix.shape[1])
    found.add_vectors(vectors.words, vectors.matrix)
    if vectors.counts is not None:
        found.expandos["count"] = np.asarray(vectors.counts)
    return found


def save_vectors(path: Path, vectors: WordVectors, binary: bool) -> None:
    """Write a table in word2vec's format, text or binary, or gensim's own for a name in .kv.

    Every bit is kept: the text has enough digits to distinguish a float32 from its neighbours.

    Raises:
      UserError: a word has a blank or a line break in it, which word2vec's formats cannot hold, or
        the file cannot be written.
    """
    own = file_suffix(path) == ".kv"
    cut = next((word for word in vectors.words if any(map(str.isspace, word))), None)
    if cut is not None and not own:
        raise UserError(
            f"the word {cut!r} has white space in it, which ends a word in word2vec's formats; "
            "name a file that ends in .kv, gensim's own format."
        )
    table = to_keyed_vectors(vectors)
    try:
        if own:
            table.save(str(path))
        else:
            # gensim sorts words by their counts, and warns where it has none.
            table.expandos["count"] = np.arange(len(vectors.words), 0, -1)
            table.save_word2vec_format(str(path), binary=binary)
    except OSError as error:
        raise UserError(
            f"cannot write {path} ({error.strerror or error}); free some space or mend its "
            "permissions, or name another file with --export FILE."
        ) from error
