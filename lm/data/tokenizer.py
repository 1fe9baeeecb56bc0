"""Text -> tokens: words or characters."""

import re

from lm.config import DataConfig
from lm.data.text_files import STRAIGHT_QUOTES

_WORD = re.compile(r"""[\w']+|[;:\-()&.,!?"]""")
"""A token of the Sherlock study (pat-coady/rnn): a word with apostrophes, or a punctuation mark."""

END_OF_SENTENCE = "<eos>"
"""Stands for the newline of the Penn Treebank files."""


def tokenize(text: str, config: DataConfig) -> list[str]:
    """Cut a text into tokens, as `data.level` and the corpus have it.

    char: every character as it stands, newlines too (for ptb those of the word files: a space on
    both sides of each newline, `<unk>` as five characters, no <eos>).
    word: lower case, apostrophes inside words kept, each of `;:-()&.,!?"` its own token, all other
    signs dropped. The Penn Treebank is tokenized already: split at spaces, <eos> for each newline.
    """
    if config.level == "char":
        return list(text)
    if config.name == "ptb":
        return text.replace("\n", f" {END_OF_SENTENCE} ").split()
    if config.name != "sherlock":
        # The study did not translate them. One of its three files has typographic quotes, so its
        # counts need "don't" to be two tokens there.
        text = text.translate(STRAIGHT_QUOTES)
    return _WORD.findall(text.lower())
