"""Tokens -> text against text that was cut into them, and Markdown by TensorBoard's own reader."""

import html
import re
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from lm.config import DataConfig
from lm.data.text_files import STRAIGHT_QUOTES
from lm.data.tokenizer import tokenize
from lm.generation.detokenize import detokenize, sample_markdown

WORDS = DataConfig("text", None, [], "word", None, 0.1, 0.1)
PTB = DataConfig("ptb", None, [], "word", None, 0.1, 0.1)


@pytest.mark.parametrize(
    "text",
    [
        '"you may be right," he said. "no, no - not all!"',
        'what is it? "come (at once); it is the boys\' well-known dog & cat."',
        "it rose 3.5 to 1,000 by 4:00. in 1999, 20 fell: that's all--or nearly so.",
        'first " second',
    ],
)
def test_text_comes_back_as_it_was_written(text: str) -> None:
    text = text.replace(" - ", "-").replace('first " ', 'first "')
    assert "".join(detokenize(tokenize(text, WORDS), "word")) == text


def test_two_quotes_that_touch_end_one_speech_and_begin_the_next() -> None:
    text = '"no." "yes." "and this is never closed. but the next is." "well?"'
    assert "".join(detokenize(tokenize(text, WORDS), "word")) == text
    lost = tokenize('"a new paragraph. "and another." "well?"', WORDS)
    assert "".join(detokenize(lost, "word")).endswith('another." "well?"')


def test_penn_treebank_s_tokens_are_joined_and_its_sentences_are_lines() -> None:
    text = "it did n't say the viewers ' n.v. 's unit cost $ N \n we 'll see"
    read = "it didn't say the viewers' n.v.'s unit cost $N\nwe'll see"
    assert "".join(detokenize(tokenize(text, PTB), "word")) == read


def test_characters_stay_as_they_are() -> None:
    assert detokenize(list('a  "b"\n - c'), "char") == list('a  "b"\n - c')


def test_a_book_s_spaces_come_back(real_data: Callable[[str], str]) -> None:
    """All but one of two hundred."""
    path = Path(real_data("sherlock")) / "sign_of_the_four.txt"
    text = path.read_text(encoding="utf-8-sig").translate(STRAIGHT_QUOTES).lower()
    tokens, at, wrong = tokenize(text, WORDS), 0, 0
    for token, piece in zip(tokens, detokenize(tokens, "word"), strict=True):
        place = text.index(token, at)
        wrong += piece.startswith(" ") != (place > 0 and text[place - 1].isspace())
        at = place + len(token)
    assert wrong < len(tokens) / 200


def shown(markdown: str) -> tuple[str, str]:
    """What the Text tab shows in bold, and after it."""
    with warnings.catch_warnings():  # of a library that TensorBoard carries with it
        warnings.simplefilter("ignore", DeprecationWarning)
        from tensorboard.plugin_util import markdown_to_safe_html

    page = markdown_to_safe_html(markdown)
    found = re.fullmatch(r"<p><strong>(.*)</strong>(.*)</p>", page, re.DOTALL)
    assert found, page
    assert not re.search(r"<(?!br\s*/?>)", found[1] + found[2]), page
    before, after = (re.sub(r"<br\s*/?>", "\n", part) for part in found.groups())
    return html.unescape(before), html.unescape(after)


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("a *b* ", "_c_ **d** `e` # f\n\n# g\n- h\n1. i\n> j\n| k | l |\n|---|---|\n"),
        (
            "<unk>",
            " <script>x</script> & &amp; [m](http://n) ![o](p) \\*q\\* ~~r~~ http://s.t\n\n\n",
        ),
        (" u ", "v\n    w = 1;\n\tx"),
        ("\n", "- y"),
    ],
)
def test_any_text_is_shown_as_it_is(prompt: str, text: str) -> None:
    """Runs of blanks with blanks that a page does not drop."""
    before, after = shown(sample_markdown(list(prompt), list(text), "char"))
    assert before.replace("\u00a0", " ") == prompt
    assert after.replace("\u00a0", " ") == text.replace("\t", "    ")


def test_prompt_is_bold_and_its_continuation_is_not() -> None:
    markdown = sample_markdown(["my", "dear"], ["watson", ",", '"', "<unk>", '"'], "word")
    assert shown(markdown) == ("my dear", ' watson, "<unk>"')
