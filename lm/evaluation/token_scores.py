"""Log-probability of each word: as a CSV file, and the words that are predicted worst."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lm.data.vocabulary import Vocabulary
from sweeps.errors import UserError


class TokenScores(NamedTuple):
    """The predicted words of a text and their log-probabilities."""

    name: str
    """Name of the text: a split or a file."""
    first: int
    """Position in the text of the first word that is predicted, from 0."""
    ids: NDArray[np.int32]
    """[N], the words."""
    log_probs: NDArray[np.float64]
    """[N], by the model, in nats."""
    cached: NDArray[np.float64] | None
    """[N], with the cache, in nats; None: there is no cache."""

    @property
    def best(self) -> NDArray[np.float64]:
        """Log-probabilities with the cache where there is one, else by the model."""
        return self.log_probs if self.cached is None else self.cached


class WordSurprise(NamedTuple):
    """A type of word, and how badly its occurrences were predicted."""

    word: str
    occurrences: int
    total: float
    """Negative log-probability of all occurrences, nats."""

    @property
    def mean(self) -> float:
        """Nats for each occurrence."""
        return self.total / self.occurrences


def word_surprises(text: TokenScores, vocabulary: Vocabulary) -> list[WordSurprise]:
    """Surprise of each type that occurs among the predicted words, in the order of ids."""
    counts = np.bincount(text.ids, minlength=len(vocabulary))
    totals = np.bincount(text.ids, -text.best, minlength=len(vocabulary))
    return [
        WordSurprise(vocabulary.words[i], int(counts[i]), float(totals[i]))
        for i in np.flatnonzero(counts)
    ]


def worst_in_total(found: Sequence[WordSurprise], count: int) -> list[WordSurprise]:
    """The types with the largest totals, at most `count`."""
    return sorted(found, key=lambda one: (-one.total, one.word))[:count]


def worst_on_average(
    found: Sequence[WordSurprise], count: int, at_least: int
) -> list[WordSurprise]:
    """The types with the largest means, of those with `at_least` occurrences."""
    often = [one for one in found if one.occurrences >= at_least]
    return sorted(often, key=lambda one: (-one.mean, one.word))[:count]


def write_token_scores(path: Path, texts: Sequence[TokenScores], vocabulary: Vocabulary) -> None:
    """Write a row for each predicted word: text, position, word, log-probabilities (nats).

    Raises:
      UserError: the file cannot be written.
    """
    heads = ["text", "position", "word", "log_probability"]
    if any(text.cached is not None for text in texts):
        heads.append("log_probability_with_cache")
    try:
        # The name of a text may be of bytes that are not UTF-8.
        with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(heads)
            for text in texts:
                table.writerows(_rows(text, vocabulary))
    except OSError as error:
        raise UserError(
            f"cannot write {path} ({error.strerror or error}); free some space or mend its "
            "permissions, or name another file with --words FILE."
        ) from error


def _rows(text: TokenScores, vocabulary: Vocabulary) -> Iterator[tuple[str | int, ...]]:
    columns = [text.log_probs] if text.cached is None else [text.log_probs, text.cached]
    words = vocabulary.decode(text.ids)
    for place, (word, *numbers) in enumerate(zip(words, *columns, strict=True)):
        # float32, from which they come, has no more digits.
        yield text.name, text.first + place, word, *(f"{number:.8g}" for number in numbers)
