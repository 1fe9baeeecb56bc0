"""Errors that a user can correct, what was meant, interruptions, and any error in one line."""

import re
import signal
from collections.abc import Sequence
from difflib import get_close_matches

ALIKE = 0.75
"""Share of letters that two names have in common where one may be meant by the other."""
MAX_LISTED = 8
"""Most names that a sentence lists."""
SHORT_WORD = 4
"""Words of so many letters are often another word where one letter is another."""


class UserError(Exception):
    """Bad input: one sentence that says what was wrong and what to do about it.

    Commands print the sentence without a traceback and exit with status 1.
    """


class Interrupted(KeyboardInterrupt):
    """A signal ended the work; what was done is saved."""

    def __init__(self, message: str, number: signal.Signals) -> None:
        """Name the signal: a command exits with 128 and its number."""
        super().__init__(message)
        self.number = number


def one_line_error(error: BaseException, unnamed: tuple[type[BaseException], ...]) -> str:
    """Return an error's whole text in one line, after the name of its type.

    Args:
      error: any exception.
      unnamed: types whose name is left out, as their text says enough.
    """
    text = " ".join(str(error).split())
    if isinstance(error, unnamed):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, at most 200 characters.

    The texts of libraries may be pages long. An error without a text gives the name of its type.
    """
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """Return the end of a sentence on a tag that is not known: the tags that may be meant, or some.

    Tags are alike as a whole, or in the part after their last slash.

    Args:
      name: what was given.
      known: all tags that there are.
    """
    last = name.rpartition("/")[2]
    ends = {tag: tag.rpartition("/")[2] for tag in known}
    alike = set(get_close_matches(last, ends.values(), n=1, cutoff=ALIKE))
    near = get_close_matches(name, known, n=1, cutoff=ALIKE) or [
        tag for tag in known if ends[tag] in alike
    ]
    if near:
        return f"did you mean {' or '.join(near)}"
    if not known:
        return "there are none"
    rest = len(known) - MAX_LISTED
    more = f" and {rest} more" if rest > 1 else ""
    return f"there are {', '.join(known[: MAX_LISTED if more else None])}{more}"


def differs_by_a_typo(name: str, tag: str) -> bool:
    """Whether a name is a tag with one letter left out, added, replaced or exchanged with the next.

    Tags that differ in a digit, in the first letter of a word, or in a letter of a short word may
    both be right, as `valid/acc1` and `valid/acc5`, `val_loss` and `eval_loss`, `best` and `rest`.
    """
    words, others = (re.split(r"([^a-zA-Z]+)", text) for text in (name, tag))
    pairs = [pair for pair in zip(words, others, strict=False) if pair[0] != pair[1]]
    if len(words) != len(others) or len(pairs) != 1:
        return False
    (given, meant) = pairs[0]
    if not (given.isalpha() and meant.isalpha()) or given[0] != meant[0]:
        return False
    if len(given) != len(meant):
        longer, shorter = sorted((given, meant), key=len, reverse=True)
        return len(shorter) > 2 and any(
            longer[:at] + longer[at + 1 :] == shorter for at in range(len(longer))
        )
    at = next(at for at, (one, two) in enumerate(zip(given, meant, strict=True)) if one != two)
    if given[at + 1 :] == meant[at + 1 :]:
        return len(given) > SHORT_WORD
    return given[at : at + 2] == meant[at : at + 2][::-1] and given[at + 2 :] == meant[at + 2 :]
