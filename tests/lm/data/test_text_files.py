from pathlib import Path

import pytest

from lm.data.text_files import join, read_text
from sweeps.errors import UserError


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"one\r\ntwo\r\n", "one\ntwo\n"),
        (b"one\rtwo", "one\ntwo"),
        (b"\xef\xbb\xbfna\xc3\xafve", "na\u00efve"),
    ],
)
def test_line_ends_and_byte_order_mark_do_not_matter(
    tmp_path: Path, content: bytes, text: str
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    assert read_text(path) == text


@pytest.mark.parametrize("content", [b"", b" \n\t\n", b"\xef\xbb\xbf"])
def test_empty_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.txt has no text"):
        read_text(path)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no file .*a\.txt"):
        read_text(tmp_path / "a.txt")


def test_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a folder"):
        read_text(tmp_path)


def test_other_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("caf\u00e9".encode("latin-1"))
    with pytest.raises(UserError, match=r"not UTF-8 text \(byte 3\)"):
        read_text(path)


def test_joined_texts_never_fuse_words() -> None:
    assert join(["a b", "c d\n", "e"]) == "a b\nc d\ne"


def test_one_text_joined_is_itself() -> None:
    assert join(["a b"]) == "a b"
