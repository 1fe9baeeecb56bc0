"""Tokens of words, characters and the Penn Treebank."""

import re
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lm.config import DataConfig
from lm.data.tokenizer import has_later_rules, tokenize

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


WORDS = {
    "Devanagari": "\u0939\u093f\u0928\u094d\u0926\u0940",
    "Bengali": "\u09ac\u09be\u0982\u09b2\u09be",
    "Tamil": "\u0ba4\u0bae\u0bbf\u0bb4\u0bcd",
    "Malayalam with a joiner at its end": "\u0d05\u0d35\u0d28\u0d4d\u200d",
    "Persian with a non-joiner": "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "Arabic with vowels": "\u0643\u064e\u062a\u064e\u0628\u064e",
    "Hebrew with points": "\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd",
    "Hebrew abbreviation": "\u05e6\u05d4\u05f4\u05dc",
    "Thai": "\u0e20\u0e32\u0e29\u0e32\u0e44\u0e17\u0e22\u0e17\u0e35\u0e48",
    "Khmer": "\u1781\u17d2\u1798\u17c2\u179a",
    "Burmese": "\u1019\u103c\u1014\u103a\u1019\u102c",
    "Tibetan": "\u0f56\u0f7c\u0f51",
    "Vietnamese, decomposed": "vie\u0323\u0302t",
    "French, decomposed": "de\u0301ja\u0300",
    "an enclosing mark": "a\u20dd",
    "Mongolian with a vowel separator": "\u1828\u1820\u180e\u1820",
    "Armenian question": "\u056b\u0576\u0579\u0578\u055e\u0582",
    "Turkish, of which lower case makes a mark": "\u0130stanbul",
}


@pytest.mark.parametrize("name", WORDS)
def test_words_of_all_scripts_stay_whole(name: str, options: Options) -> None:
    word = WORDS[name]
    text = f"{word}, x {word}\n"
    assert tokenize(text, options("text")) == [word.lower(), ",", "x", word.lower()]
    assert has_later_rules(text, options("text"))


def test_signs_that_are_not_seen_do_not_cut_words(options: Options) -> None:
    text = "co\u00adoperate \u200f\u05d0\u200e\u05d1 a\u2060b"
    assert tokenize(text, options("text")) == ["cooperate", "\u05d0\u05d1", "ab"]


@pytest.mark.parametrize(
    "mark",
    [
        *"\u3002\uff0c\u3001\uff01\uff1f\u300c\u300d",  # Chinese and Japanese
        *"\u060c\u061b\u061f\u06d4",  # Arabic and Urdu
        *"\u0964\u0965\u0589\u1362\u104b\u17d4",  # Hindi, Armenian, Amharic, Burmese, Khmer
    ],
)
def test_punctuation_of_other_scripts_is_a_token(mark: str, options: Options) -> None:
    assert tokenize(f"\u0628{mark}\u0628", options("text")) == ["\u0628", mark, "\u0628"]


def test_marks_without_a_letter_are_dropped(options: Options) -> None:
    text = "\u2764\ufe0f \u0301 a \U0001f469\u200d\U0001f4bb"
    assert tokenize(text, options("text")) == ["a"]


def test_tokens_of_prepared_corpora_are_kept_in_texts(options: Options) -> None:
    text = " the <unk> sat . <eos> <UNK>s \n"
    expected = ["the", "<unk>", "sat", ".", "<eos>", "<unk>", "s"]
    assert tokenize(text, options("text")) == expected
    assert tokenize(text, options("code", level="word"))[:2] == ["the", "unk"]


@pytest.mark.parametrize(
    ("text", "later"),
    [
        ("plain words, (1/2) <unknown>", False),
        ("na\u00efve \u2014 \u201cquoted\u201d\u2026 \u00a315 \u00ab\u00e9t\u00e9\u00bb", False),
        ("\u0440\u0443\u0441\u0441\u043a\u0438\u0439 \u4e2d\u6587", False),
        ("a <unk> b", True),
        ("a <EOS> b", True),
        ("e\u0301", True),
        ("\u4e2d\u6587\u3002", True),
        ("soft\u00adhyphen", True),
    ],
)
def test_texts_that_the_first_rules_cut_alike_are_known(
    text: str, later: bool, options: Options
) -> None:
    assert has_later_rules(text, options("text")) == later
    assert not has_later_rules(text, options("text", level="char"))
    assert not has_later_rules(text, options("ptb"))


JOINERS = "\u200c\u200d\u180e"
NOT_SEEN = dict.fromkeys(map(ord, "\u00ad\u2060\ufeff\u200e\u200f\u061c"))
SIGNS = st.one_of(
    st.characters(codec="utf-8"),
    st.characters(categories=["L", "M"]),
    st.sampled_from("aE' -\n<>\u0301\u094d\u200c\u200d\u00ad\u3002\u0130\u03a3"),
    st.sampled_from(["<unk>", "<EOS>"]),
)


def word_data(name: str) -> DataConfig:
    return DataConfig(name, None, [], "word", None, 0.1, 0.1, None)


def clusters(text: str) -> list[str]:
    """Letters and digits with the marks and joiners that stand behind each."""
    found: list[str] = []
    inside = False
    for sign in text:
        kind = unicodedata.category(sign)[0]
        belongs = inside and (kind == "M" or sign in JOINERS)
        if kind in "LN":
            found.append(sign)
        elif belongs:
            found[-1] += sign
        inside = kind in "LN" or belongs
    return found


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.lists(SIGNS, max_size=40).map("".join), st.sampled_from(["text", "lee", "sherlock"]))
def test_every_letter_is_in_a_token(text: str, name: str) -> None:
    tokens = tokenize(text, word_data(name))
    assert tokenize(text, word_data(name)) == tokens
    found = "|".join(cluster for token in tokens for cluster in clusters(token))
    expected = "|".join(clusters(text.translate(NOT_SEEN).lower()))
    # What a word ends with decides how a sigma is written in lower case.
    assert found.replace("\u03c2", "\u03c3") == expected.replace("\u03c2", "\u03c3")
    assert not any(sign.isspace() for token in tokens for sign in token)
    if not has_later_rules(text, word_data(name)):
        assert tokens == by_the_first_rules(text, name)


def by_the_first_rules(text: str, name: str) -> list[str]:
    if name != "sherlock":
        text = text.translate(str.maketrans("\u2018\u2019\u201c\u201d", "''\"\""))
    return re.findall(r"""[\w']+|[;:\-()&.,!?"]""", text.lower())


@settings(derandomize=True, max_examples=100, deadline=None)
@given(
    st.characters(categories=["L"]),
    st.text(st.characters(categories=["L", "M"], include_characters=JOINERS), max_size=10),
)
def test_word_of_letters_and_marks_is_one_token(first: str, rest: str) -> None:
    word = f"{first}{rest}\n".lower().rstrip("\n")
    assert tokenize(f"{first}{rest}\n", word_data("text")) == [word]
