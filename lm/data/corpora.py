"""Where text comes from: configuration -> the raw text of each split."""

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from lm.config import DataConfig
from lm.data.files import cache_dir, join, read_text, require
from lm.data.gutenberg import read_sherlock
from sweeps.errors import UserError

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


def read_corpus(config: DataConfig) -> Corpus:
    """Read the corpus that `data` names; downloads Sherlock Holmes where no copy is at hand.

    Raises:
      UserError: a file is missing or unusable; says which, and where to put it.
    """
    root = None if config.root is None else Path(config.root).expanduser()
    if root is not None and not root.is_dir():
        raise UserError(f"data.root={config.root} is not a folder; name the one with the files.")
    if config.name == "lee":
        return Corpus(_read_lee(root))
    if config.name == "sherlock":
        return Corpus(read_sherlock(root))
    if config.name == "ptb":
        return _read_ptb(root)
    return Corpus(_read_files(config.files, root))


def _read_lee(root: Path | None) -> str:
    if root is not None:
        (path,) = require(root, [LEE_FILE], "it comes with gensim, under gensim/test/test_data.")
        return read_text(path)
    # Importing gensim takes seconds and nothing but one of its files is wanted.
    spec = importlib.util.find_spec("gensim")
    places = spec.submodule_search_locations if spec else None
    for place in places or ():
        path = Path(place, "test", "test_data", LEE_FILE)
        if path.is_file():
            return read_text(path)
    raise UserError(
        f"data=lee reads {LEE_FILE} from the package gensim, which does not have it here; "
        f"run `pip install gensim`, or put {LEE_FILE} into a folder and give data.root=DIR."
    )


def _read_ptb(root: Path | None) -> Corpus:
    folder = cache_dir() / "ptb" if root is None else root
    advice = (
        f"put {', '.join(PTB_FILES)} (as prepared by Mikolov: simple-examples/data) there, or into "
        "any folder given as data.root=DIR."
    )
    return Corpus(*map(read_text, require(folder, PTB_FILES, advice)))


def _read_files(files: list[str], root: Path | None) -> str:
    paths = (Path(file).expanduser() for file in files)
    return join([read_text(path if root is None else root / path) for path in paths])
