"""Text files on disk."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from lm.data.file_kinds import decode_text
from sweeps.errors import UserError

STRAIGHT_QUOTES = str.maketrans("\u2018\u2019\u201c\u201d", "''\"\"")
"""Translates typographic quotes into the ASCII ones that the word tokenizer knows."""


def read_text(path: Path) -> str:
    """Read UTF-8 text, with or without a byte order mark; every line ends in a single newline sign.

    Raises:
      UserError: there is no such file, it is a folder, unreadable, not UTF-8, or has no text.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"there is no file {path}; check the path.") from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder; name the text files in it.") from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; mend that and retry.") from None
    text = decode_text(content, path)
    if not text.strip():
        raise UserError(f"{path} has no text in it; give a file with text.")
    return with_newlines(text)


def with_newlines(text: str) -> str:
    """End every line in a single newline sign."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def join(texts: Sequence[str]) -> str:
    """Join texts, so that the last word of one never runs into the first of the next."""
    *firsts, last = texts
    return "".join(text if text.endswith("\n") else text + "\n" for text in firsts) + last


def require(folder: Path, names: Sequence[str], advice: str) -> list[Path]:
    """Paths of files that must be in a folder.

    Raises:
      UserError: some are missing; says which, and `advice` on where to get them.
    """
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise UserError(f"{folder} lacks {', '.join(missing)}; {advice}")
    return [folder / name for name in names]


def gensim_folder(file: str) -> Path | None:
    """Find the folder of a file that comes with gensim, without its import, which takes seconds.

    None where gensim or the file is missing.
    """
    spec = importlib.util.find_spec("gensim")
    places = (spec.submodule_search_locations if spec else None) or ()
    folders = (Path(place, "test", "test_data") for place in places)
    return next((folder for folder in folders if (folder / file).is_file()), None)
