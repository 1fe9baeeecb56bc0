"""The vector maths against gensim's own functions, and the round trip of files."""

from pathlib import Path

import numpy as np
import pytest
from gensim.models import KeyedVectors
from gensim.test.utils import datapath

from lm.vectors.benchmarks import WordPairs, load_benchmarks
from lm.vectors.load import load_vectors
from lm.vectors.neighbors import Query, analogy, index_vectors, nearest, similar_to
from lm.vectors.scores import Score, normalize_rows, point_scores, score_with_intervals
from lm.vectors.word_vectors import WordVectors, save_vectors, to_keyed_vectors
from sweeps.errors import UserError
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


@pytest.mark.parametrize(
    ("query", "positive", "negative"),
    [
        (similar_to("king"), ["king"], []),
        (analogy("father", "mother", "king"), ["mother", "king"], ["father"]),
        (analogy("king", "queen", "king"), ["queen", "king"], ["king"]),
    ],
)
def test_nearest_words_are_those_of_gensim(
    vectors: WordVectors, query: Query, positive: list[str], negative: list[str]
) -> None:
    noise = np.random.default_rng(0).normal(scale=0.1, size=vectors.matrix.shape)
    vectors = vectors._replace(matrix=vectors.matrix + noise.astype(np.float32))  # no equals
    expected = to_keyed_vectors(vectors).most_similar(positive=positive, negative=negative, topn=12)
    found = nearest(index_vectors(vectors), query, 12)
    assert [near.word for near in found] == [word for word, _ in expected]
    np.testing.assert_allclose([near.cosine for near in found], [x for _, x in expected], atol=1e-6)


def test_a_word_is_found_in_lower_case_and_of_equals_the_more_frequent_comes_first() -> None:
    matrix = np.array([[1, 0], [0, 0], [2, 0], [3, 0]], np.float32)
    table = index_vectors(WordVectors("x", ["run", "nothing", "ran", "runs"], None, matrix))
    found = nearest(table, similar_to("Run"), 5)
    assert [(near.word, near.cosine) for near in found] == [("ran", 1), ("runs", 1), ("nothing", 0)]


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


ODD = ["<unk>", "'s", "n't", "Ünïcode", "#", "1,000", "-", "…"]


def odd_table() -> WordVectors:
    """Numbers whose digits are hard to keep, and words with signs."""
    rng = np.random.default_rng(0)
    matrix = (rng.normal(size=(len(ODD), 5)) * 10.0 ** rng.integers(-38, 38, (8, 1))).astype("f4")
    matrix[0] = [np.nextafter(np.float32(1), np.float32(2)), 1e-45, 0, -0.0, 3.4028235e38]
    return WordVectors("odd", ODD, list(range(8, 0, -1)), matrix)


@pytest.mark.parametrize("name", ["a.txt", "a.vec", "a.bin", "a.kv", "a.txt.gz"])
def test_exported_vectors_come_back_bit_for_bit(tmp_path: Path, name: str) -> None:
    table, path = odd_table(), tmp_path / name
    save_vectors(path, table, binary=name == "a.bin")
    [back] = load_vectors(path, "both")
    assert back.words == ODD
    assert back.matrix.tobytes() == table.matrix.tobytes()
    assert back.counts == (table.counts if name == "a.kv" else None)


def test_gensim_loads_what_is_exported(tmp_path: Path, vectors: WordVectors) -> None:
    save_vectors(tmp_path / "a.txt", vectors, binary=False)
    save_vectors(tmp_path / "a.bin", vectors, binary=True)
    save_vectors(tmp_path / "a.kv", vectors, binary=False)
    text = KeyedVectors.load_word2vec_format(str(tmp_path / "a.txt"))
    binary = KeyedVectors.load_word2vec_format(str(tmp_path / "a.bin"), binary=True)
    own = KeyedVectors.load(str(tmp_path / "a.kv"))
    for found in (text, binary, own):
        assert found.index_to_key == vectors.words
        np.testing.assert_array_equal(found.vectors, vectors.matrix)
    assert own.get_vecattr(vectors.words[1], "count") == len(vectors.words) - 1


def test_words_with_blanks_are_refused_where_the_format_cannot_hold_them(tmp_path: Path) -> None:
    table = WordVectors("x", ["a", " ", "\n"], None, np.eye(3, dtype=np.float32))
    for name in ("a.txt", "a.bin"):
        with pytest.raises(UserError, match=r"' ' has white space.*\.kv"):
            save_vectors(tmp_path / name, table, binary=name == "a.bin")
        assert not (tmp_path / name).exists()
    save_vectors(tmp_path / "a.kv", table, binary=False)
    assert load_vectors(tmp_path / "a.kv", "both")[0].words == table.words


@pytest.mark.parametrize("name", ["a.txt", "a.bin", "a.kv", "a.txt.gz"])
def test_a_file_that_holds_no_vectors_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("nothing of the kind\n")
    with pytest.raises(UserError, match=f"{name} cannot be read as vectors.*by its name"):
        load_vectors(tmp_path / name, "both")
