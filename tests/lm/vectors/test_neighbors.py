"""Nearest words and analogies against gensim's `most_similar`."""

import numpy as np
import pytest

from lm.vectors.neighbors import Query, analogy, index_vectors, nearest, similar_to
from lm.vectors.word_vectors import WordVectors, to_keyed_vectors
from tests.lm.helpers.benchmark_words import made_up


@pytest.fixture(scope="module")
def vectors() -> WordVectors:
    return made_up()


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
