from pathlib import Path

import numpy as np
import pytest

from lm.data.vocabulary import Vocabulary, build_vocabulary
from sweeps.errors import UserError


def table(vocabulary: Vocabulary) -> list[tuple[str, int]]:
    return list(zip(vocabulary.words, vocabulary.counts, strict=True))


def test_types_are_ranked_by_count_and_then_by_spelling() -> None:
    assert table(build_vocabulary(list("ccbabbd"), [])) == [
        ("b", 3),
        ("c", 2),
        ("a", 1),
        ("d", 1),
    ]


def test_no_unknown_where_none_is_needed() -> None:
    assert build_vocabulary(list("abb"), list("ba")).unk_id is None


def test_unknown_that_only_held_out_text_needs_is_last() -> None:
    vocabulary = build_vocabulary(list("abb"), list("z"))
    assert table(vocabulary) == [("b", 2), ("a", 1), ("<unk>", 0)]
    assert vocabulary.unk_id == 2


def test_cap_counts_unknown_and_ranks_it_by_what_it_replaces() -> None:
    vocabulary = build_vocabulary(list("aaaaabbccde"), [], size=3)
    assert table(vocabulary) == [("a", 5), ("<unk>", 4), ("b", 2)]


def test_cap_that_just_fits_drops_nothing() -> None:
    assert len(build_vocabulary(list("aabbc"), [], size=3)) == 3
    assert build_vocabulary(list("aabbc"), [], size=3).unk_id is None


def test_unknown_needed_by_held_out_text_takes_a_place_under_the_cap() -> None:
    vocabulary = build_vocabulary(list("aabbc"), ["z"], size=3)
    assert table(vocabulary) == [("a", 2), ("b", 2), ("<unk>", 1)]


def test_unknown_already_in_the_text_absorbs_the_rare_types() -> None:
    vocabulary = build_vocabulary(["a", "a", "<unk>", "b", "c"], [], size=2)
    assert table(vocabulary) == [("<unk>", 3), ("a", 2)]


@pytest.mark.parametrize("size", [2, 3, 5, 9, None])
def test_counts_are_those_of_the_encoded_training_text_and_never_rise(size: int | None) -> None:
    train = list("the quick brown fox jumps over the lazy dog")
    vocabulary = build_vocabulary(train, ["z", "!"], size)
    counts = np.bincount(vocabulary.encode(train), minlength=len(vocabulary))
    assert counts.tolist() == vocabulary.counts
    assert vocabulary.counts == sorted(vocabulary.counts, reverse=True)
    assert size is None or len(vocabulary) == size


def test_one_type_is_refused() -> None:
    with pytest.raises(UserError, match="one word over and over"):
        build_vocabulary(["a", "a"], ["a"])


def test_known_tokens_survive_the_round_trip() -> None:
    text = list("so long, and thanks\n")
    vocabulary = build_vocabulary(text, [])
    ids = vocabulary.encode(text)
    assert ids.dtype == np.int32
    assert vocabulary.decode(ids) == text


def test_unknown_tokens_become_unk() -> None:
    vocabulary = build_vocabulary(list("abb"), list("z"))
    assert vocabulary.decode(vocabulary.encode(list("azb"))) == ["a", "<unk>", "b"]
    assert vocabulary.index("q") == vocabulary.unk_id


def test_unknown_token_without_unk_is_named() -> None:
    with pytest.raises(UserError, match="'zebra' is not in the vocabulary"):
        build_vocabulary(["a", "b"], []).encode(["a", "zebra"])


AWKWARD = [
    "\t",
    "\n",
    "\r",
    "\\",
    "\\n",
    "\\\n",
    " ",
    "\u2028",
    "\x85",
    "\x00",
    "na\u00efve",
    "\U0001f600",
]


def test_saved_vocabulary_is_read_back_whatever_its_words(tmp_path: Path) -> None:
    vocabulary = Vocabulary(AWKWARD, list(range(len(AWKWARD), 0, -1)))
    vocabulary.save(tmp_path / "vocab.tsv")
    loaded = Vocabulary.load(tmp_path / "vocab.tsv")
    assert loaded == vocabulary
    assert loaded.encode(AWKWARD).tolist() == list(range(len(AWKWARD)))


def test_saved_vocabulary_is_a_table_with_one_line_a_type(tmp_path: Path) -> None:
    Vocabulary(["\n", "a"], [2, 1]).save(tmp_path / "vocab.tsv")
    assert (tmp_path / "vocab.tsv").read_bytes() == b"word\tcount\n\\n\t2\na\t1\n"


@pytest.mark.parametrize(
    "content", ["", "a\t1\n", "word\tcount\na\n", "word\tcount\na\tx\n", "word\tcount\n\\q\t1\n"]
)
def test_file_that_is_no_vocabulary_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "vocab.tsv").write_text(content)
    with pytest.raises(UserError, match="not a vocabulary"):
        Vocabulary.load(tmp_path / "vocab.tsv")


def test_missing_vocabulary_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"vocab\.tsv is not a vocabulary"):
        Vocabulary.load(tmp_path / "vocab.tsv")
