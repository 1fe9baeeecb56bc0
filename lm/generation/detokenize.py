"""Tokens -> text as people read it, and as TensorBoard's Text tab shows it."""

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
    """The tokens, each with the space that belongs before it; `"".join` gives the text.

    char: as they are. word: sense is made of punctuation, quotes, hyphens and numbers that the
    tokenisation has taken apart; <eos> becomes a newline.
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
    """Whether there is no space between token i and the one before it."""
    before, token = tokens[i - 1], tokens[i]
    if END_OF_SENTENCE in (before, token):
        return True
    if sides[i - 1] == "opens" or sides[i] == "closes":
        return True
    if before in _OPENING or token in _CLOSING or token in _CLITICS:
        return True
    # A hyphen, or half a dash: the tokenisation makes two of it.
    if token == "-" or (before == "-" and sides[i] != "opens"):
        return True
    return _inside_number(tokens, i)


def _inside_number(tokens: Sequence[str], i: int) -> bool:
    """4:00, 3.5 and 1,000 were cut in three."""
    if i < 2 or not (tokens[i - 2][-1].isdigit() and tokens[i][0].isdigit()):
        return False
    thousands = len(tokens[i]) == 3
    return tokens[i - 1] in (".", ":") or (tokens[i - 1] == "," and thousands)


def _sides(tokens: Sequence[str]) -> list[str]:
    """For each token whether it is a quotation mark that opens or closes: in turn, but of two that
    touch the first closes, which mends a lost one (a speech of several paragraphs has some)."""
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
    """A prompt and its continuation, which begins with the space that belongs there.

    Args:
      prompt: its tokens.
      words: the tokens generated after it.
      level: `data.level`.
    """
    text = detokenize([*prompt, *words], level)
    return "".join(text[: len(prompt)]), "".join(text[len(prompt) :])


def sample_markdown(prompt: Sequence[str], words: Sequence[str], level: str) -> str:
    """A generated text for TensorBoard's Text tab: the prompt in bold, then its continuation.

    Arguments as of `split_continuation`.
    """
    before, after = split_continuation(prompt, words, level)
    return f"<strong>{_escape_markdown(before)}</strong>{_escape_markdown(after)}"


def _escape_markdown(text: str) -> str:
    """Text that Markdown leaves as it is, in one paragraph, its lines and indents kept."""
    text = _MARKS.sub(lambda mark: f"&#{ord(mark[0])};", text)
    text = text.replace("\t", "    ")
    text = re.sub("  +", lambda spaces: "\u00a0" * len(spaces[0]), text)
    return text.replace("\n", "<br>")
