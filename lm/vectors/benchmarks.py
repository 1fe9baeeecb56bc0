"""Benchmarks of word vectors, and those of their questions that a vocabulary can answer.

All come with gensim: 999 pairs of words by similarity (SimLex-999, Hill et al. 2015), 353 by
relatedness (WordSim-353, Finkelstein et al. 2002) and 19,544 analogies in 14 sections (Mikolov et
al. 2013). As in gensim, case makes no difference: the most frequent variant of a word counts.
Questions with a word that the vocabulary lacks are left out.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lm.data.text_files import gensim_folder, read_text
from sweeps.errors import UserError

FILES = {
    "simlex": "simlex999.txt",
    "wordsim": "wordsim353.tsv",
    "analogies": "questions-words.txt",
}
MAX_WORDS = 300_000
"""Number of the most frequent words that take part, as in gensim."""


class WordPairs(NamedTuple):
    """A benchmark of pairs of words, whose similarity people have scored."""

    ids: NDArray[np.int32]
    """[N, 2], of the pairs that the vocabulary has."""
    human: NDArray[np.float64]
    """[N], people's scores from 0 to 10."""
    total: int
    """Pairs of the benchmark."""


class AnalogySection(NamedTuple):
    """A section of the analogies: a is to b as c is to d."""

    section: str
    ids: NDArray[np.int32]
    """[N, 4], of the analogies that the vocabulary has."""
    total: int
    """Analogies of the section."""


class Benchmarks(NamedTuple):
    """The benchmark questions that a vocabulary can answer."""

    simlex: WordPairs
    wordsim: WordPairs
    analogies: list[AnalogySection]
    first_variant: NDArray[np.int32]
    """[V]: for each word that takes part, the most frequent word that differs only in case."""

    def counts(self) -> dict[str, tuple[int, int]]:
        """By kind: the number of questions that can be answered, and of all."""
        used = sum(len(one.ids) for one in self.analogies)
        return {
            "simlex": (len(self.simlex.ids), self.simlex.total),
            "wordsim": (len(self.wordsim.ids), self.wordsim.total),
            "analogies": (used, sum(one.total for one in self.analogies)),
        }


def load_benchmarks(words: Sequence[str], restrict: int = MAX_WORDS) -> Benchmarks:
    """Load the benchmark questions that a vocabulary can answer.

    Args:
      words: the vocabulary, by falling frequency.
      restrict: number of the most frequent words that take part.

    Raises:
      UserError: gensim does not have its files.
    """
    upper = [word.upper() for word in words[:restrict]]
    ids = {word: i for i, word in reversed(list(enumerate(upper)))}
    return Benchmarks(
        simlex=_load_pairs("simlex", ids),
        wordsim=_load_pairs("wordsim", ids),
        analogies=[_load_section(section, ids) for section in _sections()],
        first_variant=np.array([ids[word] for word in upper], np.int32),
    )


def any_answerable(words: Sequence[str], kinds: Iterable[str]) -> bool:
    """Report whether a vocabulary can answer any question of these kinds.

    Raises:
      UserError: gensim does not have its files.
    """
    known = {word.upper() for word in words[:MAX_WORDS]}
    asked = (row for kind in kinds for row in _words(kind))
    return any(known.issuperset(row) for row in asked)


def _words(kind: str) -> Iterator[list[str]]:
    """The words of each question of a kind."""
    if kind == "analogies":
        return (row for _, rows in _sections() for row in rows)
    return (row[:2] for row in _rows(kind))


def _load_pairs(kind: str, ids: Mapping[str, int]) -> WordPairs:
    rows = _rows(kind)
    known = [(a, b, score) for a, b, score in rows if a in ids and b in ids]
    return WordPairs(
        ids=np.array([(ids[a], ids[b]) for a, b, _ in known], np.int32).reshape(-1, 2),
        human=np.array([float(score) for _, _, score in known]),
        total=len(rows),
    )


def _load_section(section: tuple[str, list[list[str]]], ids: Mapping[str, int]) -> AnalogySection:
    name, rows = section
    known = [[ids[word] for word in row] for row in rows if all(word in ids for word in row)]
    return AnalogySection(
        section=name, ids=np.array(known, np.int32).reshape(-1, 4), total=len(rows)
    )


@cache
def _sections() -> list[tuple[str, list[list[str]]]]:
    """Name and questions of each section of the analogies."""
    lines = _lines("analogies")
    heads = np.cumsum([line.startswith(": ") for line in lines])
    groups = (
        [line for line, _ in group]
        for _, group in groupby(zip(lines, heads, strict=True), lambda item: item[1])
    )
    return [(head[2:], [line.upper().split() for line in rows]) for head, *rows in groups]


@cache
def _rows(kind: str) -> list[list[str]]:
    return [line.upper().split("\t") for line in _lines(kind) if not line.startswith("#")]


def _lines(kind: str) -> list[str]:
    folder = gensim_folder(FILES[kind])
    if folder is None:
        raise UserError(
            f"{FILES[kind]} is not in the package gensim here, which carries it; run "
            "`pip install gensim`."
        )
    return [line.strip() for line in read_text(folder / FILES[kind]).split("\n") if line.strip()]
