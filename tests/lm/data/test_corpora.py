import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

from lm.config import DataConfig
from lm.data.corpora import RawText, open_corpus
from sweeps.errors import UserError

Options = Callable[..., DataConfig]


def test_files_are_read_in_the_order_given(tmp_path: Path, options: Options) -> None:
    for name in "ab":
        (tmp_path / name).write_text(name)
    root = str(tmp_path)
    assert open_corpus(options("text", root=root, files=["b", "a"])).read() == RawText("b\na")


def test_lee_comes_with_gensim(options: Options) -> None:
    assert (
        open_corpus(options("lee")).read().train.startswith("Hundreds of people have been forced")
    )


def test_lee_can_be_read_from_a_folder(tmp_path: Path, options: Options) -> None:
    (tmp_path / "lee_background.cor").write_text("News.\n")
    assert open_corpus(options("lee", root=str(tmp_path))).read() == RawText("News.\n")


def test_lee_without_gensim_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, options: Options
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install gensim.*lee_background\.cor.*data\.root=DIR"):
        open_corpus(options("lee")).read()


def test_ptb_has_its_own_splits(tmp_path: Path, options: Options) -> None:
    for split in ("train", "valid", "test"):
        (tmp_path / f"ptb.{split}.txt").write_text(f" {split} <unk> \n")
    corpus = open_corpus(options("ptb", root=str(tmp_path))).read()
    assert corpus == RawText(" train <unk> \n", " valid <unk> \n", " test <unk> \n")


@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_file_that_is_not_of_the_penn_treebank_is_named(
    tmp_path: Path, options: Options, split: str
) -> None:
    for name in ("train", "valid", "test"):
        words = "Ships sank." if name == split else "ships <unk>"
        (tmp_path / f"ptb.{name}.txt").write_text(f" {words} \n")
    with pytest.raises(UserError, match=rf"ptb\.{split}\.txt has no <unk> in it, .* data=text"):
        open_corpus(options("ptb", root=str(tmp_path))).read()


def test_missing_ptb_files_are_named(tmp_path: Path, options: Options) -> None:
    (tmp_path / "ptb.train.txt").write_text("a <unk>\n")
    with pytest.raises(UserError, match=r"lacks ptb\.valid\.txt, ptb\.test\.txt; put ptb\.train"):
        open_corpus(options("ptb", root=str(tmp_path))).read()


def test_ptb_without_root_is_looked_for_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: Options
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(UserError, match=str(tmp_path / "lm-sweeps" / "ptb")):
        open_corpus(options("ptb")).read()


def test_root_that_is_no_folder_is_refused(tmp_path: Path, options: Options) -> None:
    with pytest.raises(UserError, match=r"data\.root=.*nowhere is not a folder"):
        open_corpus(options("lee", root=str(tmp_path / "nowhere"))).read()


def test_missing_text_file_is_refused(tmp_path: Path, options: Options) -> None:
    with pytest.raises(UserError, match=r"there is no file .*gone\.txt"):
        open_corpus(options("text", files=[str(tmp_path / "gone.txt")])).read()


def test_digest_is_that_of_the_text_and_not_of_its_place(tmp_path: Path, options: Options) -> None:
    digests = []
    for name, content in (("a", b"same\n"), ("b", b"same\r\n"), ("c", b"other\n")):
        (tmp_path / name).write_bytes(content)
        digests.append(open_corpus(options("text", files=[str(tmp_path / name)])).read().digest)
    assert digests[0] == digests[1] != digests[2]


def test_digest_tells_splits_apart() -> None:
    corpora = [
        RawText("a b"),
        RawText("a", " b", ""),
        RawText("a ", "b", ""),
        RawText("", "a b", ""),
    ]
    assert len({corpus.digest for corpus in corpora}) == 4
