"""Texts as ids are made once a machine; whatever the cache suffers, they are the same."""

import logging
import mmap
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from lm.config import DataConfig
from lm.data import dataset, token_cache
from lm.data.corpora import TextFiles
from lm.data.dataset import Dataset, load_dataset

Options = Callable[..., DataConfig]
STORY = "the cat saw the dog and the dog saw the cat but the \u00e9l\u00e9phant saw no one " * 9


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache, and a process that has read nothing."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    dataset._load_once.cache_clear()
    yield tmp_path / "cache" / "lm-sweeps" / "tokens"
    dataset._load_once.cache_clear()


def _made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows with each text that is cut."""
    texts: list[str] = []
    plain = dataset.tokenize

    def tokenize(text: str, config: DataConfig) -> list[str]:
        texts.append(text)
        return plain(text, config)

    monkeypatch.setattr(dataset, "tokenize", tokenize)
    return texts


def _same(one: Dataset, other: Dataset) -> bool:
    pairs = [(getattr(one, split), getattr(other, split)) for split in ("train", "valid", "test")]
    equal = all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in pairs)
    return equal and one.vocabulary == other.vocabulary and one.digest == other.digest


@pytest.mark.parametrize(
    "changes", [{}, {"level": "char"}, {"vocab_size": 4}, {"test_fraction": 0.0}]
)
def test_kept_ids_are_those_of_the_text(
    cache: Path, text_options: Options, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object]
) -> None:
    made = _made(monkeypatch)
    config = text_options("a\ttab \\ and\n" + STORY, **changes)
    first, second = load_dataset(config), load_dataset(config)
    assert len(made) == 1
    assert _same(first, second)
    assert len(list(cache.iterdir())) == 1


def test_kept_ids_are_mapped_and_cannot_be_changed(cache: Path, text_options: Options) -> None:
    config = text_options(STORY)
    for text in (load_dataset(config), load_dataset(config)):
        with pytest.raises(ValueError, match="read-only"):
            text.train[0] = 1
    base = text.train.base
    while isinstance(base, np.ndarray):
        base = base.base
    assert isinstance(base, mmap.mmap)


@pytest.mark.parametrize("name", ["train.npy", "test.npy", "vocab.tsv", "sums.json"])
@pytest.mark.parametrize("damage", ["missing", "half", "one bit"])
def test_damaged_entry_is_made_anew(
    cache: Path,
    text_options: Options,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    damage: str,
) -> None:
    config = text_options(STORY)
    whole = load_dataset(config)
    ((path),) = cache.glob(f"*/{name}")
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "half":
        path.write_bytes(content[: len(content) // 2])
    else:
        path.write_bytes(content[:-5] + bytes([content[-5] ^ 1]) + content[-4:])
    made = _made(monkeypatch)
    assert _same(load_dataset(config), whole)
    assert _same(load_dataset(config), whole)
    assert len(made) == 1


def test_changed_text_under_the_same_name_is_read_again(cache: Path, text_options: Options) -> None:
    one = load_dataset(text_options(STORY))
    other = load_dataset(text_options(STORY.replace("cat", "cow")))
    assert one.digest != other.digest
    assert "cow" in other.vocabulary.words


def test_a_process_reads_an_unchanged_text_once(
    cache: Path, text_options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = text_options(STORY)
    path = Path(config.files[0])
    os.utime(path, (0, time.time() - 60))
    text = load_dataset(config)
    monkeypatch.setattr(TextFiles, "read", None)
    assert load_dataset(config) is text
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache.parent.parent))
    path.write_text(STORY.replace("cat", "cow"))
    assert load_dataset(config) is not text


def test_other_code_makes_another_entry(
    cache: Path, text_options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_dataset(text_options(STORY))
    monkeypatch.setattr(dataset, "_modules", lambda: [dataset])
    load_dataset(text_options(STORY))
    assert len(list(cache.iterdir())) == 2


def test_folder_that_cannot_be_written_costs_the_cache_alone(
    cache: Path, text_options: Options, caplog: pytest.LogCaptureFixture
) -> None:
    config = text_options(STORY)
    whole = load_dataset(config)
    for entry in cache.iterdir():
        for file in entry.iterdir():
            file.unlink()
        entry.rmdir()
    cache.rmdir()
    cache.write_text("a file where the folder should be")
    with caplog.at_level(logging.WARNING):
        assert _same(load_dataset(config), whole)
    (line,) = (record.getMessage() for record in caplog.records)
    assert line.startswith("The text's ids are not kept: ")


def test_what_is_long_unused_goes(
    cache: Path, text_options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    used, unused = text_options(STORY), text_options(STORY, vocab_size=4)
    load_dataset(used)
    load_dataset(unused)
    long_ago = time.time() - 86400 * (token_cache.UNUSED_DAYS + 1)
    for folder in cache.iterdir():
        os.utime(folder, (long_ago, long_ago))
    load_dataset(used)
    load_dataset(text_options(STORY, vocab_size=5))
    assert len(list(cache.iterdir())) == 2
    made = _made(monkeypatch)
    load_dataset(used)
    assert not made
