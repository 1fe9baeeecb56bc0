"""Turn tokens into text as people read it, and as TensorBoard's Text tab shows it."""

import re
from collections.abc import Iterator, Sequence

from lm.data.tokenizer import END_OF_SENTENCE

_CLOSING = frozenset(".,!?;:)")
_CLITICS = frozenset(["'", "''", "'s", "'m", "'d", "'re", "'ve", "'ll", "n't"])
"""Tokens of their own in the Penn Treebank; `'` ends a plural's possessive there."""
_OPENING = frozenset("($#")

_MARKS = re.compile(r"[\\`*_{}\[\]<>&|~#]")
"""Signs that Markdown may take for its own in the middle of a line."""


def detokenize(tokens: Sequence[str], level: str) -> list[str]:
    """Put before each token the space that belongs there; `"".join` gives the text.

    Level char: tokens stay as they are. Level word: punctuation, quotes, hyphens and numbers, which
    the tokenizer has taken apart, are joined again; <eos> becomes a newline.
    """
    if level == "char":
        return list(tokens)
    return ["\n" if token == END_OF_SENTENCE else token for token in _spaced(tokens)]


def _spaced(tokens: Sequence[str]) -> Iterator[str]:
    sides = _sides(tokens)
    for i, token in enumerate(tokens):
        joined = i == 0 or _joins(tokens, sides, i)
        yield token if joined else f" {token}"


def _joins(tokens: Sequence[str], sides: Sequence[str], i: int) -> bool:
    """Decide whether token i follows the one before it without a space."""
    before, token = tokens[i - 1], tokens[i]
    if END_OF_SENTENCE in (before, token):
        return True
    if sides[i - 1] == "opens" or sides[i] == "closes":
        return True
    if before in _OPENING or token in _CLOSING or token in _CLITICS:
        return True
    # A hyphen, or half a dash: the tokenizer makes two of it.
    if token == "-" or (before == "-" and sides[i] != "opens"):
        return True
    return _inside_number(tokens, i)


def _inside_number(tokens: Sequence[str], i: int) -> bool:
    """Decide whether token i ends a number such as 4:00, 3.5 or 1,000, which was cut in three."""
    if i < 2 or not (tokens[i - 2][-1].isdigit() and tokens[i][0].isdigit()):
        return False
    thousands = len(tokens[i]) == 3
    return tokens[i - 1] in (".", ":") or (tokens[i - 1] == "," and thousands)


def _sides(tokens: Sequence[str]) -> list[str]:
    """Mark each token as a quotation mark that opens, one that closes, or neither.

    Marks open and close in turn. Of two that touch the first closes, which repairs a lost one: a
    speech of several paragraphs opens each of them.
    """
    sides, inside = [], False
    for i, token in enumerate(tokens):
        side = ""
        if token == '"':
            closes = (inside or tokens[i + 1 : i + 2] == ['"']) and i > 0
            side = "closes" if closes else "opens"
            inside = not closes
        sides.append(side)
    return sides


def split_continuation(prompt: Sequence[str], words: Sequence[str], level: str) -> tuple[str, str]:
    """Detokenize a prompt and its continuation together, and give both.

    The continuation begins with the space that belongs there.

    Args:
      prompt: tokens of the prompt.
      words: tokens generated after it.
      level: `data.level`.
    """
    text = detokenize([*prompt, *words], level)
    return "".join(text[: len(prompt)]), "".join(text[len(prompt) :])


def sample_markdown(prompt: Sequence[str], words: Sequence[str], level: str) -> str:
    """Format a generated text for TensorBoard's Text tab, with the prompt in bold.

    Args:
      prompt: tokens of the prompt.
      words: tokens generated after it.
      level: `data.level`.
    """
    before, after = split_continuation(prompt, words, level)
    return f"<strong>{_escape_markdown(before)}</strong>{_escape_markdown(after)}"


def _escape_markdown(text: str) -> str:
    """Escape text for Markdown, as one paragraph that keeps its lines and indents."""
    text = _MARKS.sub(lambda mark: f"&#{ord(mark[0])};", text)
    text = text.replace("\t", "    ")
    text = re.sub("  +", lambda spaces: "\u00a0" * len(spaces[0]), text)
    return text.replace("\n", "<br>")
