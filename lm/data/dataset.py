"""A corpus as ids: read, cut into tokens, split and numbered."""

import hashlib
import sys
import time
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from lm.config import DataConfig
from lm.data import text_files, token_cache, tokenizer, vocabulary
from lm.data.corpora import RawText, open_corpus
from lm.data.tokenizer import has_later_rules, tokenize
from lm.data.vocabulary import Vocabulary, build_vocabulary
from sweeps.errors import UserError

RULES = "tokens 2"
"""Part of the digest of a text that the first rules cut into other tokens, so that a trial of that
time, whose vocabulary is another one, is not taken for one of now."""


@dataclass(frozen=True)
class Dataset:
    """A corpus as ids: one int32 vector for each split, and the vocabulary that numbers them.

    `test` may be empty. All trials of a process share one dataset, so its arrays are read-only.
    """

    train: NDArray[np.int32]
    valid: NDArray[np.int32]
    test: NDArray[np.int32]
    vocabulary: Vocabulary
    digest: str
    """Hex SHA-256 of the raw text, wherever it was read from; and of `RULES` where they matter."""


def load_dataset(config: DataConfig) -> Dataset:
    """Read a corpus, cut it into tokens, split it and number its types.

    What that gave is kept on disk (`lm.data.token_cache`) and, for files that did not change, in
    the process.

    Raises:
      UserError: a file is missing or unusable, or a split has no tokens.
    """
    stamps = _stamps(open_corpus(config).files())
    if stamps is None:
        return _load(config)
    return _load_once(replace(config, files=tuple(config.files)), stamps)  # type: ignore[arg-type]


def _stamps(paths: list[Path]) -> tuple[object, ...] | None:
    """Values that change when a file does; None where one is missing or was written just now."""
    try:
        stats = [path.stat() for path in paths]
    except OSError:
        return None
    if any(time.time() - stat.st_mtime < 2 for stat in stats):  # clocks of files are coarse
        return None
    return tuple((stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns) for stat in stats)


@lru_cache(maxsize=4)
def _load_once(config: DataConfig, stamps: tuple[object, ...]) -> Dataset:
    return _load(config)


def _load(config: DataConfig) -> Dataset:
    text = open_corpus(config).read()
    options = asdict(config)
    del options["root"], options["files"]
    folder = token_cache.cache_path(modules=_modules(), text=text.digest, **options)
    if kept := token_cache.load(folder):
        splits, vocabulary = kept
    else:
        tokens = _split(text, config)
        vocabulary = build_vocabulary(tokens[0], tokens[1] + tokens[2], config.vocab_size)
        splits = dict(zip(("train", "valid", "test"), map(vocabulary.encode, tokens), strict=True))
        for ids in splits.values():
            ids.flags.writeable = False
        token_cache.store(folder, splits, vocabulary)
    return Dataset(**splits, vocabulary=vocabulary, digest=_digest(text, config))


def _digest(text: RawText, config: DataConfig) -> str:
    if not has_later_rules(text.train, config):
        return text.digest
    return hashlib.sha256(f"{text.digest} {RULES}".encode()).hexdigest()


def _modules() -> list[ModuleType]:
    """The modules whose code decides a text's ids."""
    return [tokenizer, vocabulary, text_files, sys.modules[__name__]]


def _split(text: RawText, config: DataConfig) -> tuple[list[str], list[str], list[str]]:
    """Tokens of train, valid and test: the corpus's own splits, or contiguous pieces in order."""
    if text.valid is not None and text.test is not None:
        texts = (text.train, text.valid, text.test)
        train, valid, test = (tokenize(split, config) for split in texts)
        return train, valid, test
    tokens = tokenize(text.train, config)
    if not tokens:
        raise UserError(f"the corpus {config.name} has no tokens in it; give a text with words.")
    n_test = round(len(tokens) * config.test_fraction)
    n_valid = round(len(tokens) * config.valid_fraction)
    n_train = len(tokens) - n_valid - n_test
    for name, size, wanted in (
        ("train", n_train, True),
        ("valid", n_valid, True),
        ("test", n_test, config.test_fraction > 0),
    ):
        if wanted and size < 1:
            raise UserError(
                f"the {name} split of {len(tokens)} tokens is empty; give more text, or change "
                "data.valid_fraction and data.test_fraction."
            )
    held_out = n_train + n_valid
    return tokens[:n_train], tokens[n_train:held_out], tokens[held_out:]
