"""Tokens of words, characters and the Penn Treebank."""

from collections.abc import Callable

import pytest

from lm.config import DataConfig
from lm.data.tokenizer import tokenize

Options = Callable[..., DataConfig]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Don't stop!", ["don't", "stop", "!"]),
        ('(a-b);c:d&e.f,g?h"', list('(a-b);c:d&e.f,g?h"')),
        ("1/2 = 50% *x*", ["1", "2", "50", "x"]),
        ("\u00c9t\u00e9\n2 na\u00efve", ["\u00e9t\u00e9", "2", "na\u00efve"]),
        ("'tis the boys'", ["'tis", "the", "boys'"]),
        ("\u201cIt\u2019s\u201d", ['"', "it's", '"']),
    ],
)
def test_words_are_cut_by_the_study_s_rule(text: str, tokens: list[str], options: Options) -> None:
    assert tokenize(text, options("text")) == tokens


def test_sherlock_keeps_the_study_s_reading_of_typographic_quotes(options: Options) -> None:
    assert tokenize("\u201cDon\u2019t\u201d", options("sherlock")) == ["don", "t"]


def test_characters_are_kept_as_they_stand(options: Options) -> None:
    assert tokenize("A b\n", options("text", level="char")) == ["A", " ", "b", "\n"]
    assert tokenize(" <unk> \n", options("ptb", level="char")) == list(" <unk> \n")


@pytest.mark.parametrize("text", [" a <unk> 's \n b.c \n", "a <unk> 's\nb.c\n"])
def test_ptb_is_split_at_spaces_with_an_end_of_sentence_per_line(
    text: str, options: Options
) -> None:
    assert tokenize(text, options("ptb")) == ["a", "<unk>", "'s", "<eos>", "b.c", "<eos>"]
