"""Word vectors written to files, and read back by this program and by gensim."""

from pathlib import Path

import numpy as np
import pytest
from gensim.models import KeyedVectors

from lm.vectors.load import load_vectors
from lm.vectors.word_vectors import WordVectors, save_vectors
from sweeps.errors import UserError
from tests.lm.helpers.benchmark_words import made_up

ODD = ["<unk>", "'s", "n't", "Ünïcode", "#", "1,000", "-", "…"]


@pytest.fixture(scope="module")
def vectors() -> WordVectors:
    return made_up()


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
