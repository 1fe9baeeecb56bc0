"""Questions about words that people have answered, and those of them that a vocabulary can answer.

All come with gensim: 999 pairs of words by similarity (SimLex-999, Hill et al. 2015), 353 by
relatedness (WordSim-353, Finkelstein et al. 2002) and 19,544 analogies in 14 sections (Mikolov et
al. 2013). As in gensim, case makes no difference: of a word's variants the most frequent stands for
it. Questions with a word that the vocabulary lacks are left out.
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
"""Most frequent words that take part, as in gensim."""


class WordPairs(NamedTuple):
    """Pairs of words that people have compared."""

    ids: NDArray[np.int32]
    """[N, 2], of those that the vocabulary has."""
    human: NDArray[np.float64]
    """[N], from 0 to 10."""
    total: int


class AnalogySection(NamedTuple):
    """a is to b as c is to d, in one section."""

    section: str
    ids: NDArray[np.int32]
    """[N, 4], of those that the vocabulary has."""
    total: int


class Benchmarks(NamedTuple):
    """What a vocabulary can be asked."""

    simlex: WordPairs
    wordsim: WordPairs
    analogies: list[AnalogySection]
    first: NDArray[np.int32]
    """[V]: the most frequent word that is the same but for case, for each that takes part."""

    def counts(self) -> dict[str, tuple[int, int]]:
        """By kind: questions that can be asked, and all."""
        used = sum(len(one.ids) for one in self.analogies)
        return {
            "simlex": (len(self.simlex.ids), self.simlex.total),
            "wordsim": (len(self.wordsim.ids), self.wordsim.total),
            "analogies": (used, sum(one.total for one in self.analogies)),
        }


def load_benchmarks(words: Sequence[str], restrict: int = MAX_WORDS) -> Benchmarks:
    """The questions that a vocabulary can be asked.

    Args:
      words: by frequency.
      restrict: so many of them take part.

    Raises:
      UserError: gensim does not have its files.
    """
    upper = [word.upper() for word in words[:restrict]]
    ids = {word: i for i, word in reversed(list(enumerate(upper)))}
    return Benchmarks(
        _load_pairs("simlex", ids),
        _load_pairs("wordsim", ids),
        [_load_section(section, ids) for section in _sections()],
        np.array([ids[word] for word in upper], np.int32),
    )


def any_answerable(words: Sequence[str], kinds: Iterable[str]) -> bool:
    """Whether a vocabulary can be asked anything of these kinds; errors as `load_benchmarks`."""
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
        np.array([(ids[a], ids[b]) for a, b, _ in known], np.int32).reshape(-1, 2),
        np.array([float(score) for _, _, score in known]),
        len(rows),
    )


def _load_section(section: tuple[str, list[list[str]]], ids: Mapping[str, int]) -> AnalogySection:
    name, rows = section
    known = [[ids[word] for word in row] for row in rows if all(word in ids for word in row)]
    return AnalogySection(name, np.array(known, np.int32).reshape(-1, 4), len(rows))


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
