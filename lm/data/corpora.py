"""Where text comes from: configuration -> the raw text of each split."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from lm.config.schema import DataConfig
from lm.data.gutenberg import SHERLOCK, read_sherlock
from lm.data.source_code import read_source_code, source_files, standard_library
from lm.data.text_files import gensim_folder, join, read_text, require
from lm.data.vocabulary import UNKNOWN
from sweeps.errors import UserError
from sweeps.io.cache_dir import cache_dir

LEE_FILE = "lee_background.cor"
PTB_FILES = ("ptb.train.txt", "ptb.valid.txt", "ptb.test.txt")


@dataclass(frozen=True)
class Corpus:
    """Raw text; `valid` and `test` are None where the corpus has no split of its own."""

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


def corpus_files(config: DataConfig) -> list[Path]:
    """The files that a corpus is read from, whether they are there or not."""
    root = _root(config)
    if config.name == "lee":
        folder = root or gensim_folder(LEE_FILE)
        return [folder / LEE_FILE] if folder else []
    if config.name == "sherlock":
        return [(root or cache_dir() / "sherlock") / book.filename for book in SHERLOCK]
    if config.name == "ptb":
        return [(root or cache_dir() / "ptb") / name for name in PTB_FILES]
    if config.name == "code":
        return source_files(_sources(config))
    return _named(config)


def read_corpus(config: DataConfig) -> Corpus:
    """Read the corpus that `data` names; downloads Sherlock Holmes where no copy is at hand.

    Raises:
      UserError: a file is missing or unusable; says which, and where to put it.
    """
    root, files = _root(config), corpus_files(config)
    if config.name == "lee":
        return Corpus(_read_lee(root, files))
    if config.name == "sherlock":
        return Corpus(read_sherlock(root))
    if config.name == "ptb":
        return _read_ptb(files[0].parent)
    if config.name == "code":
        return Corpus(read_source_code(_sources(config), config.characters))
    return Corpus(join([read_text(path) for path in files])[: config.characters])


def _named(config: DataConfig) -> list[Path]:
    """What `data.files` names."""
    root = _root(config)
    paths = [Path(file).expanduser() for file in config.files]
    return [path if root is None else root / path for path in paths]


def _sources(config: DataConfig) -> list[Path]:
    """Files and folders with source code."""
    return _named(config) or [_root(config) or standard_library()]


def _root(config: DataConfig) -> Path | None:
    root = None if config.root is None else Path(config.root).expanduser()
    if root is not None and not root.is_dir():
        raise UserError(f"data.root={config.root} is not a folder; name the one with the files.")
    return root


def _read_lee(root: Path | None, files: list[Path]) -> str:
    if root is not None:
        require(root, [LEE_FILE], "it comes with gensim, under gensim/test/test_data.")
    if not files:
        raise UserError(
            f"data=lee reads {LEE_FILE} from the package gensim, which does not have it here; run "
            f"`pip install gensim`, or put {LEE_FILE} into a folder and give data.root=DIR."
        )
    return read_text(files[0])


def _read_ptb(folder: Path) -> Corpus:
    advice = (
        f"put {', '.join(PTB_FILES)} (as prepared by Mikolov: simple-examples/data) there, or into "
        "any folder given as data.root=DIR."
    )
    paths = require(folder, PTB_FILES, advice)
    texts = [read_text(path) for path in paths]
    for path, text in zip(paths, texts, strict=True):
        if UNKNOWN not in text:
            raise UserError(
                f"{path} has no {UNKNOWN} in it, so that it is not of the Penn Treebank as "
                "Mikolov prepared it; give data.root=DIR with its three files, or read other text "
                "with data=text."
            )
    return Corpus(*texts)
