"""Datasets: splits, vocabularies and ids of made-up texts, and the counts of published ones."""

import hashlib
import subprocess
import sys
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from lm.config import DataConfig
from lm.data.corpora import open_corpus
from lm.data.dataset import load_dataset
from lm.data.tokenizer import tokenize
from sweeps.errors import UserError

Options = Callable[..., DataConfig]


def test_splits_are_contiguous_and_cover_the_text(text_options: Options) -> None:
    words = [f"w{i}" for i in range(20)]
    dataset = load_dataset(text_options(" ".join(words), valid_fraction=0.2, test_fraction=0.3))
    assert dataset.vocabulary.decode(dataset.train) == words[:10]
    assert (len(dataset.valid), len(dataset.test)) == (4, 6)


def test_vocabulary_knows_the_training_split_only(text_options: Options) -> None:
    dataset = load_dataset(
        text_options("a a b b a b c z", valid_fraction=0.125, test_fraction=0.125)
    )
    assert dataset.vocabulary.words == ["a", "b", "<unk>"]
    assert dataset.vocabulary.decode(dataset.valid) == ["<unk>"]


def test_no_test_fraction_gives_an_empty_test_split(text_options: Options) -> None:
    dataset = load_dataset(text_options("a b " * 20, test_fraction=0.0))
    assert (len(dataset.train), len(dataset.valid), len(dataset.test)) == (36, 4, 0)


def test_ids_are_int32_within_the_vocabulary(text_options: Options) -> None:
    dataset = load_dataset(text_options("a b c d " * 20, vocab_size=3))
    for ids in (dataset.train, dataset.valid, dataset.test):
        assert ids.dtype == np.int32
        assert 0 <= ids.min() <= ids.max() < 3


def test_characters_round_trip_through_ids(text_options: Options) -> None:
    raw = "Tab\tand \\ and\nna\u00efve \u2028 " * 10
    dataset = load_dataset(text_options(raw, level="char"))
    parts = (dataset.train, dataset.valid, dataset.test)
    assert "".join("".join(dataset.vocabulary.decode(ids)) for ids in parts) == raw


def test_text_without_a_token_is_refused(text_options: Options) -> None:
    with pytest.raises(UserError, match="no tokens"):
        load_dataset(text_options("% % %"))


@pytest.mark.parametrize(
    ("split", "fractions"),
    [("valid", (0.1, 0.5)), ("test", (0.5, 0.1)), ("train", (0.5, 0.49))],
)
def test_empty_split_is_refused(
    split: str, fractions: tuple[float, float], text_options: Options
) -> None:
    valid, test = fractions
    with pytest.raises(UserError, match=f"the {split} split of 2 tokens is empty"):
        load_dataset(text_options("a b", valid_fraction=valid, test_fraction=test))


def test_sherlock_has_the_study_s_counts(real_data: Callable[[str], str], options: Options) -> None:
    config = options("sherlock", root=real_data("sherlock"))
    counts = Counter(tokenize(open_corpus(config).read().train, config))
    assert (counts.total(), len(counts)) == (247_812, 11_756)
    dataset = load_dataset(config)
    assert len(dataset.train) + len(dataset.valid) + len(dataset.test) == 247_812


def test_sherlock_s_default_keeps_words_that_training_meets_twice(
    real_data: Callable[[str], str], options: Options
) -> None:
    dataset = load_dataset(options("sherlock", root=real_data("sherlock"), vocab_size=5900))
    assert [len(ids) for ids in (dataset.train, dataset.valid, dataset.test)] == [
        198_250,
        24_781,
        24_781,
    ]
    assert min(dataset.vocabulary.counts) == 2


def test_ptb_has_mikolov_s_counts(real_data: Callable[[str], str], options: Options) -> None:
    dataset = load_dataset(options("ptb", root=real_data("ptb"), vocab_size=10_000))
    assert [len(ids) for ids in (dataset.train, dataset.valid, dataset.test)] == [
        929_589,
        73_760,
        82_430,
    ]
    counts = dict(zip(dataset.vocabulary.words, dataset.vocabulary.counts, strict=True))
    assert len(counts) == 10_000
    assert counts["<unk>"] == 45_020
    assert counts["<eos>"] == 42_068


@pytest.mark.parametrize(
    ("name", "size", "digest", "ids"),
    [
        ("lee", 3500, "8e3b8765b0c8a208", "ecfc781bd356d811"),
        ("sherlock", 5900, "405e651171bb6afd", "0a036d49fd677de9"),
        ("ptb", 10_000, "05c4c7749c03618a", "31308a541b3d527e"),
    ],
)
def test_known_corpora_keep_their_ids_and_fingerprints(
    real_data: Callable[[str], str],
    options: Options,
    name: str,
    size: int,
    digest: str,
    ids: str,
) -> None:
    root = None if name == "lee" else real_data(name)
    dataset = load_dataset(options(name, root=root, vocab_size=size))
    every = np.concatenate([dataset.train, dataset.valid, dataset.test])
    assert dataset.digest.startswith(digest)
    assert hashlib.sha256(every.tobytes()).hexdigest().startswith(ids)


def test_text_that_is_cut_in_another_way_than_at_first_has_another_digest(
    text_options: Options,
) -> None:
    for text, later in (("a b " * 20, False), ("a <unk> " * 20, True), ("e\u0301 b " * 20, True)):
        config = text_options(text)
        assert (load_dataset(config).digest != open_corpus(config).read().digest) == later


def test_unknown_word_of_a_prepared_text_is_the_vocabulary_s(text_options: Options) -> None:
    dataset = load_dataset(text_options("a b <unk> c <unk> <eos>\n" * 20, vocab_size=3))
    assert dataset.vocabulary.words[0] == "<unk>"
    assert dataset.vocabulary.unk_id == 0
    assert len(dataset.vocabulary) == 3


def test_characters_of_shakespeare_are_65(
    real_data: Callable[[str], str], options: Options
) -> None:
    root = real_data("tinyshakespeare")
    dataset = load_dataset(options("text", root=root, files=["input.txt"], level="char"))
    assert len(dataset.train) + len(dataset.valid) + len(dataset.test) == 1_115_394
    assert len(dataset.vocabulary) == 65


def test_lee_s_default_keeps_words_that_training_meets_twice(options: Options) -> None:
    dataset = load_dataset(options("lee", vocab_size=3500))
    assert [len(ids) for ids in (dataset.train, dataset.valid, dataset.test)] == [
        54_071,
        6_759,
        6_759,
    ]
    assert min(dataset.vocabulary.counts) == 2


def test_reading_text_imports_neither_jax_nor_gensim_nor_ray() -> None:
    code = (
        "import sys, lm.data.dataset; "
        "print(*{'jax', 'gensim', 'ray', 'rich', 'urllib.request'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
