"""Word vectors as tables: from a trial's folder or a file, as gensim's KeyedVectors, to a file."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sweeps.errors import UserError

if TYPE_CHECKING:
    from gensim.models import KeyedVectors


TABLE_CHOICES = ("embedding", "output", "both")
"""What may be asked of a trial: the vectors that the recurrence reads, those that the softmax
compares its features with, or both."""

SUFFIXES = (".txt", ".vec", ".bin", ".kv")
"""Of files with vectors: word2vec's text format (two names), its binary one, gensim's own; the
first three may be compressed, with a further .gz."""


class WordVectors(NamedTuple):
    """A table of word vectors: V words of D numbers each."""

    name: str
    """As the reader is to see it: embedding, output, skipgram, ..."""
    words: list[str]
    """By frequency."""
    counts: list[int] | None
    """Occurrences in the training text; None: not known."""
    matrix: NDArray[np.float32]
    """[V, D]."""


def file_suffix(path: Path) -> str:
    """Which of `SUFFIXES` a file's name has, .gz left out; empty for none."""
    suffix = Path(path.stem).suffix if path.suffix == ".gz" else path.suffix
    return suffix if suffix in SUFFIXES else ""


def most_frequent(vectors: WordVectors, count: int | None) -> WordVectors:
    """The most frequent words of a table, at most so many; None: all."""
    counts = None if vectors.counts is None else vectors.counts[:count]
    return WordVectors(vectors.name, vectors.words[:count], counts, vectors.matrix[:count])


def to_keyed_vectors(vectors: WordVectors) -> "KeyedVectors":
    """The same for gensim; its import takes seconds."""
    from gensim.models import KeyedVectors

    found = KeyedVectors(vectors.matrix.shape[1])
    found.add_vectors(vectors.words, vectors.matrix)
    if vectors.counts is not None:
        found.expandos["count"] = np.asarray(vectors.counts)
    return found


def save_vectors(path: Path, vectors: WordVectors, binary: bool) -> None:
    """Write word2vec's format, text or binary, or gensim's own where the name ends in .kv.

    All keep every bit: the text has the digits that tell a float32 from its neighbours.

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
            # By it gensim would sort them, and says so where it has none.
            table.expandos["count"] = np.arange(len(vectors.words), 0, -1)
            table.save_word2vec_format(str(path), binary=binary)
    except OSError as error:
        raise UserError(
            f"cannot write {path} ({error.strerror or error}); free some space or mend its "
            "permissions, or name another file with --export FILE."
        ) from error
