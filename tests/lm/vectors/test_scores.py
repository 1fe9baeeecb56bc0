"""Scores of word vectors against gensim's own functions."""

import numpy as np
import pytest
from gensim.models import KeyedVectors
from gensim.test.utils import datapath

from lm.vectors.benchmarks import WordPairs, load_benchmarks
from lm.vectors.scores import Score, normalize_rows, point_scores, score_with_intervals
from lm.vectors.word_vectors import WordVectors, to_keyed_vectors
from tests.lm.helpers.benchmark_words import ANALOGIES, PAIRS, made_up


@pytest.fixture(scope="module")
def vectors() -> WordVectors:
    return made_up()


@pytest.fixture(scope="module")
def theirs(vectors: WordVectors) -> KeyedVectors:
    return to_keyed_vectors(vectors)


@pytest.mark.parametrize("restrict", [300, 300_000])
@pytest.mark.parametrize("kind", list(PAIRS))
def test_correlations_are_those_of_gensim(
    vectors: WordVectors, theirs: KeyedVectors, kind: str, restrict: int
) -> None:
    file = datapath(PAIRS[kind])
    _, spearman, lacking = theirs.evaluate_word_pairs(file, restrict_vocab=restrict)
    asked = load_benchmarks(vectors.words, restrict)
    ours: Score = getattr(score_with_intervals(vectors, asked), kind)
    assert 5 < ours.used < ours.total
    assert ours.used / ours.total == pytest.approx(1 - lacking / 100)
    assert ours.score == pytest.approx(spearman.statistic, abs=1e-6)
    assert point_scores(vectors.matrix, asked)[kind] == ours.score


@pytest.mark.parametrize("restrict", [500, 300_000])
def test_analogies_are_answered_as_by_gensim(
    vectors: WordVectors, theirs: KeyedVectors, restrict: int
) -> None:
    share, sections = theirs.evaluate_word_analogies(datapath(ANALOGIES), restrict_vocab=restrict)
    asked = load_benchmarks(vectors.words, restrict)
    ours = score_with_intervals(vectors, asked)
    assert 0.2 < share < 0.9
    assert ours.analogies.score == point_scores(vectors.matrix, asked)["analogies"] == share
    for section in sections[:-1]:
        right, wrong = len(section["correct"]), len(section["incorrect"])
        found = ours.sections[section["section"]]
        assert found.used == right + wrong
        if found.used:
            assert found.score == right / found.used


def test_interval_of_a_correlation_is_as_wide_as_theory_has_it() -> None:
    """Of unrelated numbers: 1.96 standard errors of 1 / sqrt(N - 1) to either side."""
    count, rng = 400, np.random.default_rng(1)
    matrix = rng.normal(size=(2 * count, 3)).astype(np.float32)
    ids = np.arange(2 * count, dtype=np.int32).reshape(count, 2)
    pairs = WordPairs(ids, rng.normal(size=count), total=count)
    words = [f"word{i}" for i in range(2 * count)]
    asked = load_benchmarks(words)._replace(simlex=pairs)
    found = score_with_intervals(WordVectors("x", words, None, matrix), asked).simlex
    assert found.lower < found.score < found.upper
    expected = 2 * 1.96 / np.sqrt(count - 1)
    assert found.upper - found.lower == pytest.approx(expected, rel=0.15)


def test_without_questions_scores_are_nan() -> None:
    unit = normalize_rows(np.zeros((2, 3), np.float32))
    found = score_with_intervals(WordVectors("x", ["zzz", "yyy"], None, unit))
    assert [one.used for one in found[:3]] == [0, 0, 0]
    assert all(np.isnan(one.score) for one in found[:3])
