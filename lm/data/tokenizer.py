"""lm/data/tokenizer.py."""

import re

from lm.config.schema import DataConfig
from lm.data.text_files import STRAIGHT_QUOTES

_WORD = re.compile(r"""[\w']+|[;:\-()&.,!?"]""")
"""The Sherlock study's (pat-coady/rnn): words with their apostrophes, or one punctuation mark."""


END_OF_SENTENCE = "<eos>"
"""Stands for the newline of the Penn Treebank files."""


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
