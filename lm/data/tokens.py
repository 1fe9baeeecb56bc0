"""Text -> ids: tokenisation, splits and vocabulary."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lm.config import DataConfig
from lm.data.corpora import Corpus, read_corpus
from lm.data.files import STRAIGHT_QUOTES
from lm.data.vocabulary import Vocabulary, build_vocabulary
from sweeps.errors import UserError

_WORD = re.compile(r"""[\w']+|[;:\-()&.,!?"]""")
"""The Sherlock study's (pat-coady/rnn): words with their apostrophes, or one punctuation mark."""

END_OF_SENTENCE = "<eos>"
"""Stands for the newline of the Penn Treebank files."""


@dataclass(frozen=True)
class Tokens:
    """A corpus as ids: one int32 vector a split (`test` may be empty), and what they mean."""

    train: NDArray[np.int32]
    valid: NDArray[np.int32]
    test: NDArray[np.int32]
    vocabulary: Vocabulary
    digest: str
    """Hex SHA-256 of the raw text, wherever it was read from."""


def tokenize(text: str, config: DataConfig) -> list[str]:
    """Cut a text into tokens, as `data.level` and the corpus have it.

    char: every character as it stands, newlines too (for ptb those of the word files: a space on
    both sides of each newline, `<unk>` as five characters, no <eos>).
    word: lower case, apostrophes inside words kept, each of `;:-()&.,!?"` its own token, all other
    signs dropped. The Penn Treebank is tokenised already: split at spaces, <eos> for each newline.
    """
    if config.level == "char":
        return list(text)
    if config.name == "ptb":
        return text.replace("\n", f" {END_OF_SENTENCE} ").split()
    if config.name != "sherlock":
        # The study did not: one of its three files has typographic quotes, and its counts hang on
        # "don't" being two tokens there.
        text = text.translate(STRAIGHT_QUOTES)
    return _WORD.findall(text.lower())


def load_tokens(config: DataConfig) -> Tokens:
    """Read, cut, split and number a corpus.

    Raises:
      UserError: a file is missing or unusable, or a split has no tokens.
    """
    corpus = read_corpus(config)
    train, valid, test = _split(corpus, config)
    vocabulary = build_vocabulary(train, valid + test, config.vocab_size)
    return Tokens(
        train=vocabulary.encode(train),
        valid=vocabulary.encode(valid),
        test=vocabulary.encode(test),
        vocabulary=vocabulary,
        digest=corpus.digest,
    )


def _split(corpus: Corpus, config: DataConfig) -> tuple[list[str], list[str], list[str]]:
    """Train, valid and test tokens: the corpus' own, or contiguous pieces in this order."""
    if corpus.valid is not None and corpus.test is not None:
        texts = (corpus.train, corpus.valid, corpus.test)
        train, valid, test = (tokenize(text, config) for text in texts)
        return train, valid, test
    tokens = tokenize(corpus.train, config)
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
