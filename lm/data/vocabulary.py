"""Vocabulary: the types of a text, numbered by frequency, and their file `vocab.tsv`."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweeps.errors import UserError
from sweeps.io.atomic import write_text

UNKNOWN = "<unk>"
"""Stands for every type outside the vocabulary."""

_HEADER = "word\tcount"
_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_SIGNS = {escaped: sign for sign, escaped in _ESCAPES.items()}


@dataclass(frozen=True)
class Vocabulary:
    """Types in the order of their ids, and their counts in the training text, which never rise.

    The log-uniform candidate sampler relies on that order, so <unk> too stands where its count
    puts it.
    """

    words: list[str]
    counts: list[int]
    _ids: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ids", {word: i for i, word in enumerate(self.words)})

    def __len__(self) -> int:
        return len(self.words)

    @property
    def unk_id(self) -> int | None:
        """The id of <unk>; None where no type is unknown."""
        return self._ids.get(UNKNOWN)

    def index(self, word: str) -> int:
        """The id of a type, or of <unk>.

        Raises:
          UserError: the type is unknown and the vocabulary has no <unk>.
        """
        return int(self.encode([word])[0])

    def encode(self, tokens: Sequence[str]) -> NDArray[np.int32]:
        """Turn tokens [N] into ids i32[N].

        Raises:
          UserError: a token is unknown and the vocabulary has no <unk>.
        """
        unknown = self._ids.get(UNKNOWN, -1)
        ids = np.fromiter((self._ids.get(token, unknown) for token in tokens), np.int32)
        if unknown < 0 and (ids < 0).any():
            token = tokens[int(np.argmin(ids))]
            raise UserError(
                f"{token!r} is not in the vocabulary, which has no {UNKNOWN}; use known words."
            )
        return ids

    def decode(self, ids: Iterable[int]) -> list[str]:
        """Turn ids into tokens."""
        return [self.words[i] for i in ids]

    def save(self, path: Path) -> None:
        r"""Write a table of word and count; tab, newline, return and backslash as \t \n \r \\."""
        rows = (f"{_escape(word)}\t{n}" for word, n in zip(self.words, self.counts, strict=True))
        write_text(path, "\n".join([_HEADER, *rows]) + "\n")

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        """Read what `save` wrote.

        Raises:
          UserError: the file is missing or is no vocabulary.
        """
        try:
            # Not splitlines: a character such as U+2028 may itself be a word.
            header, *rows, end = path.read_text(encoding="utf-8").split("\n")
            if header != _HEADER or end:
                raise ValueError(header)
            pairs = [row.split("\t") for row in rows]
            return cls([_unescape(word) for word, _ in pairs], [int(count) for _, count in pairs])
        except (OSError, ValueError, KeyError) as error:
            raise UserError(
                f"{path} is not a vocabulary that this program saved; name the folder of a run."
            ) from error


def build_vocabulary(
    train: Sequence[str], held_out: Iterable[str], size: int | None = None
) -> Vocabulary:
    """Number the types of the training text by (-count, word).

    `size` caps the types, <unk> included; the rarer ones become <unk>. It is there only if needed:
    the text has it already, or some token of train or `held_out` is not among the types kept.

    Raises:
      UserError: there is just one type, so that nothing is left to predict.
    """
    seen = Counter(train)
    counts = Counter(seen)
    unknown_count = counts.pop(UNKNOWN, 0)
    needs_unknown = UNKNOWN in seen or any(word not in seen for word in set(held_out))
    ranked = sorted(counts.items(), key=_rank)
    if size is not None and len(ranked) + needs_unknown > size:
        needs_unknown = True
        unknown_count += sum(count for _, count in ranked[size - 1 :])
        ranked = ranked[: size - 1]
    if needs_unknown:
        ranked = sorted([*ranked, (UNKNOWN, unknown_count)], key=_rank)
    if len(ranked) < 2:
        raise UserError("the corpus is one word over and over; give a text with two or more types.")
    return Vocabulary([word for word, _ in ranked], [count for _, count in ranked])


def visible(word: str) -> str:
    """A word for display: newlines and the like as escapes, a blank in quotes."""
    return repr(word) if word.isspace() and word.isprintable() else repr(word)[1:-1]


def _rank(item: tuple[str, int]) -> tuple[int, str]:
    word, count = item
    return -count, word


def _escape(word: str) -> str:
    return re.sub(r"[\\\t\n\r]", lambda match: _ESCAPES[match[0]], word)


def _unescape(word: str) -> str:
    return re.sub(r"\\.?", lambda match: _SIGNS[match[0]], word)
