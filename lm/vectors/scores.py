"""Scores of word vectors on benchmarks: correlation over pairs of words, share of right analogies.

The numbers are those of gensim's `evaluate_word_pairs` and `evaluate_word_analogies`. All questions
are answered at once and without the import of gensim or SciPy, which takes seconds, so that
training can score its vectors after every epoch.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lm.vectors.benchmarks import AnalogySection, Benchmarks, WordPairs, load_benchmarks
from lm.vectors.word_vectors import WordVectors

RESAMPLES = 1000
"""Resamples of the bootstrap."""
CONFIDENCE = 0.95
_FEWEST = 10
"""Fewest pairs for a bootstrap."""

_CELLS = 2**24
"""Cosines that are held at a time (64 MiB)."""


class Score(NamedTuple):
    """Score on one kind of question."""

    score: float
    """Spearman's rank correlation, or the share of right answers; NaN without questions."""
    lower: float
    upper: float
    """Bounds of the 95% confidence interval; NaN where the questions are too few."""
    used: int
    """Questions whose words are all in the vocabulary."""
    total: int
    """Questions of the benchmark."""


class VectorScores(NamedTuple):
    """Scores of one table of word vectors."""

    simlex: Score
    wordsim: Score
    analogies: Score
    sections: dict[str, Score]
    """Scores on the analogies, by section."""


def score_with_intervals(vectors: WordVectors, asked: Benchmarks | None = None) -> VectorScores:
    """Score a table on all questions that its vocabulary allows, with 95% confidence intervals.

    The intervals say how the score varies with the questions drawn: by bootstrap for pairs, by
    Wilson's formula for analogies. Analogies share words, so their interval is too narrow.
    """
    asked = asked or load_benchmarks(vectors.words)
    unit = normalize_rows(vectors.matrix)
    right = {one.section: correct_analogies(unit, asked, one) for one in asked.analogies}
    every = np.concatenate(list(right.values()))
    totals = {one.section: one.total for one in asked.analogies}
    return VectorScores(
        simlex=_correlation(unit, asked.simlex),
        wordsim=_correlation(unit, asked.wordsim),
        analogies=_share(every, sum(totals.values())),
        sections={section: _share(found, totals[section]) for section, found in right.items()},
    )


def point_scores(matrix: NDArray[np.float32], asked: Benchmarks) -> dict[str, float]:
    """Score a table without intervals, by kind; NaN for vectors that are not finite."""
    if not np.isfinite(matrix).all():
        return dict.fromkeys(("simlex", "wordsim", "analogies"), np.nan)
    unit = normalize_rows(matrix)
    right = np.concatenate([correct_analogies(unit, asked, one) for one in asked.analogies])
    return {
        "simlex": spearman(asked.simlex.human, cosines(unit, asked.simlex)),
        "wordsim": spearman(asked.wordsim.human, cosines(unit, asked.wordsim)),
        "analogies": _mean(right),
    }


def answerable_shares(asked: Benchmarks) -> Mapping[str, float]:
    """Share of the questions that a vocabulary can answer, by kind."""
    return {kind: used / total for kind, (used, total) in asked.counts().items()}


def normalize_rows(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale the rows of [V, D] to length 1; a row of zeros stays as it is."""
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    unit: NDArray[np.float32]
    unit = np.divide(matrix, lengths, out=np.zeros_like(matrix), where=lengths != 0)
    return unit


def cosines(unit: NDArray[np.float32], pairs: WordPairs) -> NDArray[np.float64]:
    """Cosine of each pair, [N], from rows of length 1."""
    one, other = (unit[pairs.ids[:, side]].astype(np.float64) for side in (0, 1))
    found: NDArray[np.float64] = np.einsum("nd,nd->n", one, other)
    return found


def spearman(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Spearman's rank correlation of two arrays [N]; equal values share their mean rank.

    NaN where it is undefined. It equals `scipy.stats.spearmanr` but for rounding.
    """
    if len(x) < 2 or not (np.isfinite(x).all() and np.isfinite(y).all()):
        return np.nan
    a, b = (ranks - ranks.mean() for ranks in (_ranks(x), _ranks(y)))
    lengths = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / lengths) if lengths else np.nan


def correct_analogies(
    unit: NDArray[np.float32], asked: Benchmarks, analogies: AnalogySection
) -> NDArray[np.bool_]:
    """Mark the analogies [N] for which d is the word nearest to b - a + c.

    Words that differ from a, b or c only in case are no answers, and any variant of d counts.
    (gensim looks only at the five nearest words for an answer that is none of a, b and c.)
    """
    ids, first = analogies.ids, asked.first_variant
    unit = unit[: len(first)]
    right = np.zeros(len(ids), np.bool_)
    size = max(1, _CELLS // len(first))
    for start in range(0, len(ids), size):
        part = ids[start : start + size]
        a, b, c = (unit[part[:, place]] for place in range(3))
        likeness = (b - a + c) @ unit.T
        for place in range(3):
            rows, words = _variants(part[:, place], first)
            likeness[rows, words] = -np.inf
        right[start : start + size] = first[likeness.argmax(axis=1)] == part[:, 3]
    return right


def _variants(
    ids: NDArray[np.int32], first: NDArray[np.int32]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """All variants of words [N]: the places [M] of the words, and the variants' rows [M]."""
    order = np.argsort(first, kind="stable")
    starts = np.searchsorted(first, ids, "left", sorter=order)
    ends = np.searchsorted(first, ids, "right", sorter=order)
    counts = ends - starts
    rows = np.repeat(np.arange(len(ids)), counts)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    return rows, order[np.repeat(starts, counts) + within]


def _ranks(x: NDArray[np.float64]) -> NDArray[np.float64]:
    _, place, counts = np.unique(x, return_inverse=True, return_counts=True)
    ranks: NDArray[np.float64] = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return ranks


def _mean(right: NDArray[np.bool_]) -> float:
    return float(right.mean()) if len(right) else np.nan


def _correlation(unit: NDArray[np.float32], pairs: WordPairs) -> Score:
    from scipy.stats import bootstrap  # takes seconds

    found = cosines(unit, pairs)
    score = spearman(pairs.human, found)
    lower = upper = np.nan
    if len(found) >= _FEWEST and np.isfinite(score):
        interval = bootstrap(
            (pairs.human, found),
            spearman,
            paired=True,
            vectorized=False,
            n_resamples=RESAMPLES,
            confidence_level=CONFIDENCE,
            method="percentile",
            rng=0,
        ).confidence_interval
        lower, upper = float(interval.low), float(interval.high)
    return Score(score=score, lower=lower, upper=upper, used=len(found), total=pairs.total)


def _share(right: NDArray[np.bool_], total: int) -> Score:
    from scipy.stats import binomtest

    lower = upper = np.nan
    if len(right):
        test = binomtest(int(right.sum()), len(right))
        lower, upper = test.proportion_ci(CONFIDENCE, method="wilson")
    return Score(
        score=_mean(right),
        lower=float(lower),
        upper=float(upper),
        used=len(right),
        total=total,
    )
