"""Files that are no UTF-8 text are named for what they are, with advice that works."""

import bz2
import gzip
import io
import lzma
import re
import subprocess
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lm.data.text_files import read_text
from sweeps.errors import UserError

STORY = "The caf\u00e9 was \u201cclosed\u201d, so na\u00efve guests went home.\nNobody came.\n" * 20
HINDI = "\u0939\u093f\u0928\u094d\u0926\u0940 \u092e\u0947\u0902 \u092a\u093e\u0920\n" * 20
CHINESE = (
    "\u6211\u4eec\u8d70\u4e86\u3002\u4ed6\u4eec\u4e5f\u8d70\u4e86\uff0c\u5929\u6674\u3002" * 20
)
PLAIN = "The house was closed, so the guests went home.\n" * 20


def refusal(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_text(path)
    sentence = str(caught.value)
    assert sentence.startswith(f"{path} is ")
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


def followed(path: Path, sentence: str) -> str:
    """Run the command that a sentence advises, and read what it makes."""
    [command] = re.findall(r"`([^`]+)`", sentence)
    subprocess.run(command, shell=True, cwd=path.parent, stderr=subprocess.PIPE, check=False)
    [made] = [other for other in path.parent.iterdir() if other != path]
    return read_text(made)


@pytest.mark.parametrize("text", [STORY, HINDI, CHINESE, PLAIN])
@pytest.mark.parametrize(
    ("encoding", "mark", "name"),
    [
        ("utf-16", b"", "UTF-16"),
        ("utf-16-be", b"\xfe\xff", "UTF-16"),
        ("utf-16-le", b"", "UTF-16LE"),
        ("utf-16-be", b"", "UTF-16BE"),
        ("utf-32", b"", "UTF-32"),
        ("utf-32-be", b"\x00\x00\xfe\xff", "UTF-32"),
        ("utf-32-le", b"", "UTF-32LE"),
        ("utf-32-be", b"", "UTF-32BE"),
    ],
)
def test_wide_encodings_are_named_and_converted(
    tmp_path: Path, text: str, encoding: str, mark: bytes, name: str
) -> None:
    path = tmp_path / "my story.txt"
    sentence = refusal(path, mark + text.encode(encoding))
    assert f"is {name[:6]} text" in sentence
    assert f"`iconv -f {name} -t UTF-8 '{path}'" in sentence
    assert followed(path, sentence) == text


def test_wide_text_that_is_long_or_cut_off_is_known(tmp_path: Path) -> None:
    long = ("\U0001f600 x\n" * 20_000).encode("utf-16-le")
    assert "is UTF-16 text" in refusal(tmp_path / "a", long)
    assert "is UTF-16 text" in refusal(tmp_path / "a", PLAIN.encode("utf-16-be")[:-1])


@pytest.mark.parametrize(
    ("encoding", "advised"), [("cp1252", True), ("latin-1", True), ("koi8-r", False)]
)
def test_encodings_of_one_byte_a_character_are_converted(
    tmp_path: Path, encoding: str, advised: bool
) -> None:
    text = "caf\u00e9 \u00fcber alles\n" if advised else "\u0441\u043b\u043e\u0432\u043e\n"
    path = tmp_path / "a.txt"
    sentence = refusal(path, text.encode(encoding))
    assert "is not UTF-8 text (byte " in sentence
    assert f"`iconv -f WINDOWS-1252 -t UTF-8 {path} > {tmp_path / 'a.utf8.txt'}`" in sentence
    if advised:
        assert followed(path, sentence) == text


def zipped(text: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("inner.txt", text)
    return file.getvalue()


def tarred(text: str) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        member = tarfile.TarInfo("inner.txt")
        member.size = len(text.encode())
        archive.addfile(member, io.BytesIO(text.encode()))
    return file.getvalue()


@pytest.mark.parametrize("name", ["a.txt.packed", "a.txt", "a", "a.gz"])
@pytest.mark.parametrize(
    ("what", "tool", "content"),
    [
        ("gzip", "gunzip", gzip.compress(STORY.encode())),
        ("bzip2", "bunzip2", bz2.compress(STORY.encode())),
        ("xz", "unxz", lzma.compress(STORY.encode())),
        ("zip", "unzip", zipped(STORY)),
        ("tar", "tar", tarred(STORY)),
    ],
)
def test_compressed_files_are_named_and_unpacked(
    tmp_path: Path, name: str, what: str, tool: str, content: bytes
) -> None:
    path = tmp_path / name
    sentence = refusal(path, content)
    assert what in sentence
    assert f"`{tool} " in sentence
    if tool != "unzip" or subprocess.run(["which", "unzip"], capture_output=True).returncode == 0:
        assert followed(path, sentence) == STORY
        assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (b"\x28\xb5\x2f\xfd\x04\x88", r"compressed \(zstd\).*`unzstd -c "),
        (b"\x04\x22\x4d\x18\x64\x40", r"compressed \(lz4\).*`unlz4 -c "),
        (b"\x1f\x9d\x90\x00", r"compressed \(compress\).*`gunzip -c "),
        (b"7z\xbc\xaf\x27\x1c\x00", r"compressed \(7-zip\).*`7z x "),
        (b"%PDF-1.7\n", r"PDF document.*`pdftotext "),
        (b"{\\rtf1 text}", "rich text"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "office"),
        (b"PAR1\x15\x04\x15\x00", "Parquet"),
        (b"SQLite format 3\x00\x10", "SQLite"),
    ],
)
def test_known_kinds_are_named_by_their_first_bytes(
    tmp_path: Path, start: bytes, what: str
) -> None:
    assert re.search(what, refusal(tmp_path / "a.bin", start + b"\xff\x00"))


@pytest.mark.parametrize(
    "content",
    [
        np.arange(4000, dtype=np.float32).tobytes(),
        np.random.default_rng(0).bytes(4000),
        b"\x89PNG\r\n\x1a\n" + np.random.default_rng(1).bytes(400),
        b"\x7fELF\x02\x01\x01" + bytes(100) + np.random.default_rng(2).bytes(400),
        bytes(1000),
    ],
)
def test_binary_files_are_refused(tmp_path: Path, content: bytes) -> None:
    assert "is a binary file" in refusal(tmp_path / "a", content) or content == bytes(1000)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (STORY.encode() + STORY.encode()[:8], r"is not whole UTF-8 text"),
        (STORY.encode().replace(b"\xc3\xaf", b"\xaf", 1), r"is not whole UTF-8 text"),
        (PLAIN.encode() + bytes(512) + PLAIN.encode(), r"is damaged \(byte 940 is zero"),
        (STORY.encode() + b"\0", r"is damaged \(byte \d+ is zero"),
    ],
)
def test_damaged_texts_are_mended_by_the_advice(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "a.txt"
    sentence = refusal(path, content)
    assert re.search(what, sentence)
    assert (
        abs(
            len(followed(path, sentence))
            - len(content.replace(b"\0", b"").decode("utf-8", "ignore"))
        )
        <= 1
    )


def test_texts_that_begin_like_other_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    for text in ("BZh is a start of files.\n", "PK\n", "PAR1 and more\n", "7z\n", "Rar!\n"):
        path.write_text(text)
        assert read_text(path) == text


def test_file_names_of_any_bytes_are_read(tmp_path: Path) -> None:
    path = tmp_path / b"caf\xe9 [x] :bug:.txt".decode("utf-8", "surrogateescape")
    path.write_text(PLAIN)
    assert read_text(path) == PLAIN
