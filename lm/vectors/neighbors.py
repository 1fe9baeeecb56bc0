"""Nearest words to a word or to the answer of an analogy, by cosine: gensim's `most_similar`."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lm.vectors.scores import normalize_rows
from lm.vectors.word_vectors import WordVectors


class Neighbor(NamedTuple):
    """A word, and its cosine with the query."""

    word: str
    cosine: float


class Query(NamedTuple):
    """A query for the words nearest to a weighted sum of words."""

    text: str
    weights: Mapping[str, float]


class IndexedVectors(NamedTuple):
    """A table of word vectors, with rows of length 1 and an index of its words."""

    name: str
    words: Sequence[str]
    ids: Mapping[str, int]
    unit: NDArray[np.float32]
    """[V, D], rows of length 1."""

    def find(self, word: str) -> int | None:
        """Find the row of a word, as it stands or else in lower case; None where it is missing."""
        return self.ids.get(word, self.ids.get(word.lower()))


def index_vectors(vectors: WordVectors) -> IndexedVectors:
    """Normalize the rows of a table and index its words."""
    ids = {word: i for i, word in enumerate(vectors.words)}
    return IndexedVectors(vectors.name, vectors.words, ids, normalize_rows(vectors.matrix))


def similar_to(word: str) -> Query:
    """A query for the words nearest to a word."""
    return Query(word, {word: 1.0})


def analogy(a: str, b: str, c: str) -> Query:
    """A query for the word that is to c as b is to a."""
    weights = dict.fromkeys((a, b, c), 0.0)
    for word, weight in ((a, -1.0), (b, 1.0), (c, 1.0)):
        weights[word] += weight
    return Query(f"{a} : {b} = {c} : ?", weights)


def missing_words(table: IndexedVectors, query: Query) -> list[str]:
    """Words of a query that a table lacks."""
    return [word for word in query.weights if table.find(word) is None]


def nearest(table: IndexedVectors, query: Query, count: int) -> list[Neighbor]:
    """Find the words nearest to a query, without its own; of equals the more frequent is first.

    Args:
      table: has all words of the query.
      query: a word or an analogy.
      count: at most this many words are returned.
    """
    ids = [i for i in map(table.find, query.weights) if i is not None]
    aim = np.array(list(query.weights.values()), np.float32) @ table.unit[ids]
    length = np.linalg.norm(aim)
    cosines = table.unit @ (aim / length if length else aim)
    order = np.argsort(-cosines, kind="stable")[: count + len(ids)]
    best = [i for i in order if i not in ids][:count]
    return [Neighbor(table.words[i], float(cosines[i])) for i in best]
