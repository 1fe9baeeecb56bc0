"""Overrides are read as Hydra reads them; for one that cannot be read, it is told what to write."""

import re
import shlex
from typing import Any

import pytest
from hydra.core.override_parser.types import ChoiceSweep, QuotedString
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sweeps.config.grammar import parse_override, quoted
from sweeps.errors import UserError
from sweeps.naming import label

bounded = settings(derandomize=True, max_examples=150, deadline=None, database=None)
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
"""Everything that a shell can pass in one line, other languages and Hydra's own signs included."""
awkward = st.text("ab1 =,:'\"()[]{}\\$éя日.-+~@/", max_size=12)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("data.files=[text (1).txt]", "write \"data.files=['text (1).txt']\"."),
        ("data.files=[a.txt,b(2).txt]", "write \"data.files=[a.txt,'b(2).txt']\"."),
        ("name=é", "write \"name='é'\"."),
        ("name=日本,b", "write \"name='日本',b\"."),
        ("name=it's", """write 'name="it'"'"'s"'."""),
        ("name=a#b", "write \"name='a#b'\"."),
        ("seed=0,1,", "seed=0,1, has a comma too many; write seed=0,1."),
        ("seed=,1", "write seed=1."),
        ("seed=0,,1", "write seed=0,1."),
        ("model.cell = gru", "has a blank before its equals sign; write model.cell=gru."),
        ("gru", "gru is no override; write key=value, without blanks around the equals sign."),
        ("=", "= is no override; write key=value"),
        ("=gru", "=gru is no override"),
        ("", " is no override"),
        ("rate=[1", "rate=[1 cannot be read; see that its brackets and quotes are pairs"),
        ("rate=interval(0,1", "rate=interval(0,1 cannot be read; see that its brackets"),
        ("rate=range(1,b)", "rate=range(1,b) cannot be read (TypeError while evaluating"),
        ("a b=1", "a b=1 cannot be read"),
        ("caf\udce9=1", "caf\\udce9=1 is not UTF-8"),
        ("name=caf\udce9", "name=caf\\udce9 is not UTF-8"),
        ("data.files=[x,'caf\udce9.txt']", "is not UTF-8; write it in UTF-8"),
        ("name=\ud83d", "name=\\ud83d is not UTF-8"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(UserError) as error:
        parse_override(text)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)
    str(error.value).encode()


@bounded
@given(texts | awkward)
@example("\\'\"")
@example("\\")
def test_quoted_text_is_read_as_it_stands(text: str) -> None:
    found = parse_override(f"k={quoted(text)}").value()
    assert found == text
    assert label(QuotedString(text, parse_quote(quoted(text)))) == label(text)


def parse_quote(text: str) -> Any:
    found = parse_override(f"k={text}")._value
    assert isinstance(found, QuotedString)
    return found.quote


def sentence(text: str) -> str:
    """What is said of an override; empty: it can be read."""
    try:
        parse_override(text)
    except UserError as error:
        return str(error)
    return ""


@bounded
@given(awkward | texts)
def test_any_text_is_read_or_refused_in_one_line_and_the_advice_can_be_followed(text: str) -> None:
    told = sentence(f"k={text}")
    assert "\n" not in told
    if advice := re.fullmatch(r".*; write (.*)\.", told):
        (argument,) = shlex.split(advice[1])
        assert argument.startswith("k=")
        found = parse_override(argument)._value
        for part in found.list if isinstance(found, ChoiceSweep) else [found]:
            meant = part.text if isinstance(part, QuotedString) else part
            assert not isinstance(meant, str) or meant.strip() in text


@bounded
@given(st.lists(texts | awkward, min_size=2, max_size=4, unique=True))
def test_quoted_texts_with_commas_between_them_are_the_values_of_an_axis(values: list[str]) -> None:
    override = parse_override(f"k={','.join(map(quoted, values))}")
    assert override.is_sweep_override()
    found = [one.text if isinstance(one, QuotedString) else one for one in override.value().list]
    assert found == values
