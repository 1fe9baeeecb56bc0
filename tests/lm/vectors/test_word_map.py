"""The map of words: what stands in it. How it looks and works: tests/browser/test_words.py."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lm.vectors.word_map import write_map
from lm.vectors.word_vectors import WordVectors, to_keyed_vectors
from sweeps.errors import UserError


def two_groups() -> WordVectors:
    """40 words about one direction and, in turn with them, 40 about another."""
    draw = np.random.default_rng(0)
    centres = draw.normal(size=(2, 12))
    matrix = np.concatenate([centres] * 40) + 0.15 * draw.normal(size=(80, 12))
    lengths = np.exp(draw.normal(size=(80, 1)))  # which the cosine is blind to
    words = [f"{'ab'[i % 2]}{i}" for i in range(80)]
    return WordVectors("embedding", words, list(range(80, 0, -1)), np.float32(lengths * matrix))


def shown(path: Path) -> list[dict[str, Any]]:
    found = re.search(r'<script id="data"[^>]*>(.*?)</script>', path.read_text())
    assert found
    tables: list[dict[str, Any]] = json.loads(found[1])["tables"]
    return tables


def test_words_alike_lie_together_and_have_gensim_s_neighbours(tmp_path: Path) -> None:
    vectors = two_groups()
    write_map(tmp_path / "words.html", [vectors], words=70)
    (table,) = shown(tmp_path / "words.html")
    assert table["words"] == vectors.words[:70]
    places = np.array(table["places"])
    assert places.min() == 0
    assert places.max() == 1
    middles = places[::2].mean(axis=0), places[1::2].mean(axis=0)
    for i, place in enumerate(places):
        own, other = (np.hypot(*(place - middles[(i + j) % 2])) for j in (0, 1))
        assert own < other
    peer = to_keyed_vectors(WordVectors("", vectors.words[:70], None, vectors.matrix[:70]))
    for i in (0, 33, 69):
        expected = peer.most_similar(vectors.words[i], topn=15)
        assert [table["words"][k] for k in table["near"][i]] == [word for word, _ in expected]
        assert table["cosines"][i] == pytest.approx([cosine for _, cosine in expected], abs=6e-4)


def test_same_vectors_give_the_same_page(tmp_path: Path) -> None:
    for name in ("one", "other"):
        write_map(tmp_path / name, [two_groups()], seed=1)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_tiny_tables_and_odd_words_are_drawn(tmp_path: Path) -> None:
    words = ["\n", " ", "</script>"]
    matrix = np.array([[1.0], [-2.0], [0.5]], np.float32)
    write_map(tmp_path / "words.html", [WordVectors("output", words, None, matrix)])
    (table,) = shown(tmp_path / "words.html")
    assert table["words"] == ["\\n", "' '", "</script>"]
    assert np.isfinite(table["places"]).all()


def test_vectors_that_cannot_be_drawn_are_refused(tmp_path: Path) -> None:
    vectors = two_groups()
    vectors.matrix[3, 4] = np.nan
    for bad in (vectors, vectors._replace(words=["a", "b"], matrix=vectors.matrix[:2])):
        with pytest.raises(UserError, match="three words or more, and finite numbers"):
            write_map(tmp_path / "words.html", [bad])
    assert list(tmp_path.iterdir()) == []
