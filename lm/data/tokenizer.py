"""Text -> tokens: words or characters."""

import re
import unicodedata

from lm.config import DataConfig
from lm.data.text_files import STRAIGHT_QUOTES
from lm.data.vocabulary import UNKNOWN

END_OF_SENTENCE = "<eos>"
"""Stands for the newline of the Penn Treebank files."""

_JOINERS = "\u200c\u200d\u180e"
"""Signs without width that spelling needs within words: of Persian, Malayalam, Mongolian."""

_IN_WORDS = "'\u055a\u055b\u055c\u055e\u05f3\u05f4"
"""Punctuation that stands within words: the apostrophe, that of Armenian with its marks of stress
and question, and Hebrew's geresh and gershayim."""

_INVISIBLE = "\u00ad\u2060\ufeff\u200e\u200f\u061c"
"""Signs that are not seen and end no word: soft hyphen, word joiner (two), marks of direction."""

_LATIN_MARKS_END = 0x370
_GENERAL_MARKS = (range(0x2000, 0x2070), range(0x2E00, 0x2E80))
"""Where Unicode has the punctuation of Latin text, and that of no script in particular."""


def tokenize(text: str, config: DataConfig) -> list[str]:
    """Cut a text into tokens, as `data.level` and the corpus have it.

    char: every character as it stands, newlines too (for ptb those of the word files: a space on
    both sides of each newline, `<unk>` as five characters, no <eos>).
    word: in lower case. A word is a run of letters, digits and apostrophes, with all combining
    marks and joiners that stand after them. Each of `;:-()&.,!?"` is a token, and so is each
    punctuation mark of other scripts than the Latin one. All other signs are dropped. With
    data=text `<unk>` and `<eos>` are tokens, as prepared corpora have them.
    The Penn Treebank is tokenized already: split at spaces, <eos> for each newline.
    """
    if config.level == "char":
        return list(text)
    if config.name == "ptb":
        return text.replace("\n", f" {END_OF_SENTENCE} ").split()
    if config.name != "sherlock":
        # The study did not translate them. One of its three files has typographic quotes, so its
        # counts need "don't" to be two tokens there.
        text = text.translate(STRAIGHT_QUOTES)
    text = text.translate(dict.fromkeys(map(ord, _INVISIBLE))).lower()
    return _pattern(set(text), config).findall(text)


def has_later_rules(text: str, config: DataConfig) -> bool:
    """Whether the first rules of this program may have cut this text into other tokens.

    They knew no combining marks, joiners and invisible signs, no punctuation of other scripts, and
    no `<unk>` and `<eos>` in data=text. Trials of that time have other vocabularies of such a text.
    """
    if config.level == "char" or config.name == "ptb":
        return False
    if (special := _special_tokens(config)) and "<" in text:
        lower = text.lower()
        if any(token in lower for token in special):
            return True
    if text.isascii():
        return False
    signs = set("".join(set(text)).lower())
    return not signs.isdisjoint(_INVISIBLE + _JOINERS + _IN_WORDS[1:]) or any(
        _is_mark(sign) or _is_foreign_punctuation(sign) for sign in signs
    )


def _pattern(signs: set[str], config: DataConfig) -> re.Pattern[str]:
    """A token of a text that is made of these signs.

    `re` has no classes for combining marks and punctuation, so those that occur are listed.
    """
    after = "".join(sorted(sign for sign in signs if sign in _JOINERS or _is_mark(sign)))
    punctuation = "".join(sorted(filter(_is_foreign_punctuation, signs)))
    kinds = [
        *_special_tokens(config),
        rf"[\w{_IN_WORDS}][\w{_IN_WORDS}{after}]*",
        rf"""[;:\-()&.,!?"{punctuation}]""",
    ]
    return re.compile("|".join(kinds))


def _special_tokens(config: DataConfig) -> tuple[str, ...]:
    return (UNKNOWN, END_OF_SENTENCE) if config.name == "text" else ()


def _is_mark(sign: str) -> bool:
    """Whether a sign is a combining mark: a vowel sign, an accent of its own, a nukta."""
    return unicodedata.category(sign)[0] == "M"


def _is_foreign_punctuation(sign: str) -> bool:
    """Whether a sign is punctuation of another script than the Latin one."""
    if sign in _IN_WORDS or unicodedata.category(sign)[0] != "P":
        return False
    return ord(sign) >= _LATIN_MARKS_END and not any(ord(sign) in part for part in _GENERAL_MARKS)
