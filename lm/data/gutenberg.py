"""Sherlock Holmes from Project Gutenberg: where the books are and which part of a file is the book.

The rule by which preamble and licence are cut is the Sherlock study's (pat-coady/rnn, `docload`).
"""

from pathlib import Path
from typing import NamedTuple

from lm.data.text_files import STRAIGHT_QUOTES, join, read_text
from sweeps.errors import UserError
from sweeps.io.cache_dir import cache_dir


class Book(NamedTuple):
    """An ebook: its number at Project Gutenberg and the name of its file."""

    number: int
    filename: str

    @property
    def url(self) -> str:
        """Address of the plain text."""
        return f"https://www.gutenberg.org/cache/epub/{self.number}/pg{self.number}.txt"


SHERLOCK = (
    Book(1661, "adventures_of_sherlock_holmes.txt"),
    Book(2852, "hound_of_the_baskervilles.txt"),
    Book(2097, "sign_of_the_four.txt"),
)
"""The books in the study's order, which decides what a contiguous split holds out."""

_LEAST = 100_000
"""Fewest characters of a book; the shortest of the three has 240,000."""


def extract_book(text: str) -> str | None:
    """Cut the book out of a Gutenberg file: lines between the markers, none that name the project.

    None where a marker is missing.
    """
    lines = text.split("\n")
    start = next((i for i, line in enumerate(lines) if "*** START" in line), None)
    if start is None:
        return None
    end = next((i for i in range(start + 1, len(lines)) if "*** END" in lines[i]), None)
    if end is None:
        return None
    kept = (line for line in lines[start + 1 : end] if "Project Gutenberg" not in line)
    return "\n".join(kept) + "\n"


def read_sherlock(root: Path | None) -> str:
    """Read the three books one after another; downloads those that the cache folder lacks.

    Args:
      root: the folder to read; None: the cache folder.

    Raises:
      UserError: files are missing and cannot be downloaded, or one is not a Gutenberg text.
    """
    folder = cache_dir() / "sherlock" if root is None else root
    missing = [book for book in SHERLOCK if not (folder / book.filename).is_file()]
    if missing and root is not None:
        raise UserError(f"{folder} lacks {_advice(missing)}.")
    for i, book in enumerate(missing):
        _download(book, folder, missing[i:])
    return join([_read_book(folder / book.filename) for book in SHERLOCK])


def _read_book(path: Path) -> str:
    text = extract_book(read_text(path))
    if text is None or not text.strip():
        raise UserError(
            f"{path} is not a whole Project Gutenberg text (no text between its '*** START' and "
            "'*** END' lines); delete it and get it again."
        )
    return text


def _download(book: Book, folder: Path, missing: list[Book]) -> None:
    # Needed once in a machine's life; every other start is spared the import of an HTTP client.
    from lm.data.download import DownloadError, fetch

    def accept(content: bytes) -> bytes:
        text = content.decode("utf-8-sig", errors="replace").replace("\r\n", "\n")
        if len(extract_book(text) or "") < _LEAST:
            raise DownloadError("what came is not the book")
        return _plain(text).encode()

    try:
        fetch(book.url, folder / book.filename, accept)
    except DownloadError as error:
        raise UserError(
            f"cannot download the corpus sherlock ({error}); put {_advice(missing)} into {folder}, "
            "or into any folder given as data.root=DIR."
        ) from error


def _plain(text: str) -> str:
    """Turn today's Gutenberg typography into that of the ASCII texts that the study read."""
    return text.translate(STRAIGHT_QUOTES).replace("\u2014", "--").replace("_", "")


def _advice(books: list[Book]) -> str:
    return ", ".join(f"{book.filename} (from {book.url})" for book in books)
