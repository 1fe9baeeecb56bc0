"""What a file is that is no UTF-8 text, and how to make it one."""

import shlex
import unicodedata
from pathlib import Path

from sweeps.errors import UserError

_COMPRESSED = (
    (b"\x1f\x8b", "gzip", "gunzip -c {file} > {new}"),
    (b"BZh", "bzip2", "bunzip2 -c {file} > {new}"),
    (b"\xfd7zXZ\x00", "xz", "unxz -c {file} > {new}"),
    (b"\x28\xb5\x2f\xfd", "zstd", "unzstd -c {file} > {new}"),
    (b"\x04\x22\x4d\x18", "lz4", "unlz4 -c {file} > {new}"),
    (b"\x1f\x9d", "compress", "gunzip -c {file} > {new}"),
    (b"PK\x03\x04", "zip", "unzip {file}"),
    (b"PK\x05\x06", "zip", "unzip {file}"),
    (b"7z\xbc\xaf\x27\x1c", "7-zip", "7z x {file}"),
    (b"Rar!\x1a\x07", "rar", "unrar x {file}"),
)
"""First bytes, name and unpacking of compressed files."""

_DOCUMENTS = (
    (b"%PDF-", "a PDF document; save its text, for example with `pdftotext {file} {new}`."),
    (b"{\\rtf", "a rich text document; save it as plain text in UTF-8."),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an office document; save it as plain text in UTF-8."),
    (b"PAR1", "a Parquet table; write its column of text to a text file in UTF-8."),
    (b"SQLite format 3\x00", "an SQLite database; write its texts to a text file in UTF-8."),
)
"""First bytes of documents that are not plain text, and what to do."""

_MARKS = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
"""Byte order marks."""

_LOOKED_AT = 1 << 16
"""Bytes of a file from which its encoding is guessed; a multiple of four."""


def decode_text(content: bytes, path: Path) -> str:
    """Decode UTF-8 text, with or without a byte order mark.

    Args:
      content: all of the file.
      path: where it lies; of the commands that are advised.

    Raises:
      UserError: it is no such text; says what it is, and how to make it one.
    """
    text, start = "", content.find(0)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        start = error.start
    if start < 0 and not content.startswith((b"%PDF-", b"{\\rtf")):
        return text
    raise UserError(f"{path} {_known_kind(content, path) or _unknown_kind(content, path, start)}")


def _known_kind(content: bytes, path: Path) -> str | None:
    """What the first bytes say, if they are those of a kind of files."""
    names = {"file": _quoted(path), "new": _unpacked(path)}
    for start, name, command in _COMPRESSED:
        if content.startswith(start):
            return f"is compressed ({name}); unpack it, with `{command.format(**names)}`."
    for start, advice in _DOCUMENTS:
        if content.startswith(start):
            return f"is {advice.format(**names)}"
    if content[257:262] == b"ustar":
        return f"is a tar archive; unpack it, with `tar -xf {names['file']}`."
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return _wide(encoding, path)
    return None


def _unknown_kind(content: bytes, path: Path, start: int) -> str:
    """What all bytes say; `start` is the place of the first that cannot be in UTF-8 text."""
    if encoding := _wide_encoding(content):
        return _wide(encoding, path)
    damaged, without_zeros = _is_damaged_utf8(content), content.replace(b"\0", b"")
    if not _is_mostly_text(without_zeros) or (content[start] == 0 and not damaged):
        return f"is a binary file (byte {start} is not one of UTF-8 text); name a text file."
    if content[start] == 0:
        command = f"tr -d '\\000' < {_quoted(path)} > {_converted(path)}"
        return (
            f"is damaged (byte {start} is zero, as in no text); get it anew, or leave such bytes "
            f"out, with `{command}`."
        )
    if damaged:
        return (
            f"is not whole UTF-8 text (byte {start}): it was cut off or damaged; get it anew, or "
            f"leave such bytes out, with `{_iconv('UTF-8', path, '-c ')}`."
        )
    return (
        f"is not UTF-8 text (byte {start}); if it is in a Western European encoding, convert it "
        f"with `{_iconv('WINDOWS-1252', path)}`, else with the name of its own after -f."
    )


def _wide(encoding: str, path: Path) -> str:
    name = encoding.removesuffix("LE").removesuffix("BE")
    return f"is {name} text, and UTF-8 is read; convert it, with `{_iconv(encoding, path)}`."


def _wide_encoding(content: bytes) -> str | None:
    """Guess the encoding of text of two or four bytes a character without a byte order mark; None
    where it is no such text. Blanks and full stops tell the order of the bytes."""
    found = {}
    for encoding in ("UTF-32LE", "UTF-32BE", "UTF-16LE", "UTF-16BE"):
        part = content[: min(len(content), _LOOKED_AT) // 4 * 4]
        try:
            text = part.decode(encoding)
        except UnicodeDecodeError as error:
            if error.start < len(part) - 2:
                continue
            text = part[: error.start].decode(encoding)  # without the first half of a pair
        if not any(_is_no_text(char) for char in text):
            found[encoding] = sum(char in " \n\u3001\u3002\uff0c" for char in text)
    best = max(found, key=lambda encoding: found[encoding], default=None)
    return best if best and found[best] else None


def _is_no_text(char: str) -> bool:
    return char not in "\t\n\r\f" and unicodedata.category(char) in ("Cc", "Cn", "Co", "Cs")


def _is_mostly_text(content: bytes) -> bool:
    """Whether control characters are rare."""
    part = content[:_LOOKED_AT]
    control = sum(byte < 32 and byte not in b"\t\n\r\f" for byte in part)
    return control <= len(part) / 50


def _is_damaged_utf8(content: bytes) -> bool:
    """Whether more of what is not ASCII, zeros left out, are characters of UTF-8 than are not."""
    text = content.replace(b"\0", b"").decode("utf-8", errors="replace")
    broken = text.count("\ufffd")
    return broken == 0 or sum(not char.isascii() for char in text) - broken > broken


def _iconv(encoding: str, path: Path, option: str = "") -> str:
    return f"iconv {option}-f {encoding} -t UTF-8 {_quoted(path)} > {_converted(path)}"


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))


def _converted(path: Path) -> str:
    return shlex.quote(str(path.with_name(f"{path.stem}.utf8{path.suffix or '.txt'}")))


def _unpacked(path: Path) -> str:
    """The name without the suffix of the compression, and never the name itself."""
    packed = path.suffix in (".gz", ".bz2", ".xz", ".zst", ".lz4", ".Z", ".pdf")
    inner = path.with_suffix("") if packed else path.with_name(f"{path.stem}.unpacked{path.suffix}")
    return shlex.quote(str(inner if inner.suffix else inner.with_suffix(".txt")))
