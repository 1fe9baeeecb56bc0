"""Corpora: `data.name` -> the files of a corpus, and the raw text of its splits."""

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from lm.config import DataConfig
from lm.data.gutenberg import SHERLOCK, read_sherlock
from lm.data.source_code import read_source_code, source_files, standard_library
from lm.data.text_files import gensim_folder, join, read_text, require
from lm.data.vocabulary import UNKNOWN
from sweeps.errors import UserError
from sweeps.io.cache_dir import cache_dir

LEE_FILE = "lee_background.cor"
PTB_FILES = ("ptb.train.txt", "ptb.valid.txt", "ptb.test.txt")


@dataclass(frozen=True)
class RawText:
    """The text of a corpus; `valid` and `test` are None where it has no split of its own."""

    train: str
    valid: str | None = None
    test: str | None = None

    @property
    def digest(self) -> str:
        """Hex SHA-256 of the text: equal text from different paths gives equal digests."""
        digest = hashlib.sha256()
        for text in (self.train, self.valid, self.test):
            # The length keeps apart corpora whose splits lie elsewhere in the same text.
            content = b"" if text is None else text.encode()
            digest.update(b"%d\n" % len(content))
            digest.update(content)
        return digest.hexdigest()


def open_corpus(config: DataConfig) -> "Corpus":
    """Find the corpus that `data.name` names; nothing is read yet.

    Raises:
      UserError: `data.root` is not a folder.
    """
    return _CORPORA.get(config.name, TextFiles)(config)


class Corpus(ABC):
    """A corpus on disk."""

    def __init__(self, config: DataConfig) -> None:
        self._config = config
        self._root = None if config.root is None else Path(config.root).expanduser()
        if self._root is not None and not self._root.is_dir():
            raise UserError(
                f"data.root={config.root} is not a folder; name the one with the files."
            )

    @abstractmethod
    def files(self) -> list[Path]:
        """The files that the corpus is read from, whether they exist or not."""

    @abstractmethod
    def read(self) -> RawText:
        """Read the files.

        Raises:
          UserError: a file is missing or unusable; says which, and where to put it.
        """

    def _named_files(self) -> list[Path]:
        """Paths of `data.files`, relative to `data.root` where that is given."""
        paths = [Path(file).expanduser() for file in self._config.files]
        return [path if self._root is None else self._root / path for path in paths]


class Lee(Corpus):
    """`data=lee`: the Lee Background Corpus, which comes with gensim."""

    def files(self) -> list[Path]:
        """One file; none where gensim is not installed."""
        folder = self._root or gensim_folder(LEE_FILE)
        return [folder / LEE_FILE] if folder else []

    def read(self) -> RawText:
        """Read the file as one text."""
        if self._root is not None:
            require(self._root, [LEE_FILE], "it comes with gensim, under gensim/test/test_data.")
        files = self.files()
        if not files:
            raise UserError(
                f"data=lee reads {LEE_FILE} from the package gensim, which does not have it here; "
                f"run `pip install gensim`, or put {LEE_FILE} into a folder and give "
                "data.root=DIR."
            )
        return RawText(read_text(files[0]))


class Sherlock(Corpus):
    """`data=sherlock`: three books from Project Gutenberg."""

    def files(self) -> list[Path]:
        """One file a book."""
        folder = self._root or cache_dir() / "sherlock"
        return [folder / book.filename for book in SHERLOCK]

    def read(self) -> RawText:
        """Read the books as one text; downloads those that the cache folder lacks."""
        return RawText(read_sherlock(self._root))


class PennTreebank(Corpus):
    """`data=ptb`: the Penn Treebank as Mikolov prepared it, with its own splits."""

    def files(self) -> list[Path]:
        """One file a split."""
        return [self._folder / name for name in PTB_FILES]

    @property
    def _folder(self) -> Path:
        return self._root or cache_dir() / "ptb"

    def read(self) -> RawText:
        """Read the three splits."""
        advice = (
            f"put {', '.join(PTB_FILES)} (as prepared by Mikolov: simple-examples/data) there, or "
            "into any folder given as data.root=DIR."
        )
        paths = require(self._folder, PTB_FILES, advice)
        train, valid, test = (_read_ptb_file(path) for path in paths)
        return RawText(train=train, valid=valid, test=test)


def _read_ptb_file(path: Path) -> str:
    text = read_text(path)
    if UNKNOWN not in text:
        raise UserError(
            f"{path} has no {UNKNOWN} in it, so that it is not of the Penn Treebank as "
            "Mikolov prepared it; give data.root=DIR with its three files, or read other text "
            "with data=text."
        )
    return text


class SourceCode(Corpus):
    """`data=code`: C or Python files, by default those of Python's standard library."""

    def files(self) -> list[Path]:
        """The files named, and the sources below the folders named."""
        return source_files(self._places())

    def read(self) -> RawText:
        """Read the sources as one text, at most `data.characters` of it."""
        return RawText(read_source_code(self._places(), self._config.characters))

    def _places(self) -> list[Path]:
        return self._named_files() or [self._root or standard_library()]


class TextFiles(Corpus):
    """`data=text`: the files of `data.files`, one after another."""

    def files(self) -> list[Path]:
        """The files in the order given."""
        return self._named_files()

    def read(self) -> RawText:
        """Read the files as one text, at most `data.characters` of it."""
        text = join([read_text(path) for path in self.files()])
        return RawText(text[: self._config.characters])


_CORPORA: dict[str, type[Corpus]] = {
    "lee": Lee,
    "sherlock": Sherlock,
    "ptb": PennTreebank,
    "code": SourceCode,
}
