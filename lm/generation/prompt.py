"""Prompts: the words that generated text continues."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lm.config import DataConfig
from lm.data.dataset import Dataset
from lm.data.tokenizer import tokenize
from lm.data.vocabulary import UNKNOWN, Vocabulary
from sweeps.errors import UserError

PROMPT_OPTION = "log.sample_prompt"
"""The option that gives a trial's prompt."""

DEFAULT_PROMPT_TOKENS = {"word": 8, "char": 40}
"""Tokens of the validation text that a default prompt takes, by `data.level`."""

DEFAULT_WORDS = 100
"""Words that are drawn after a prompt, where no number is given."""

MAX_CHARACTERS_SHOWN = 60
"""Characters of a prompt that an error message repeats."""


class Prompt(NamedTuple):
    """The words to continue."""

    ids: NDArray[np.int32]
    """[P], at least one."""
    unknown: list[str]
    """Words that are read as <unk>, each once."""


def read_prompt(text: str, config: DataConfig, vocabulary: Vocabulary, option: str) -> Prompt:
    """Cut a prompt into tokens as the corpus is, and number them.

    A token that is unknown as it stands is taken in lower case. One that is unknown then, too, is
    read as <unk>, as in the held-out texts.

    Args:
      text: the prompt, of at least one word.
      config: the corpus.
      vocabulary: the model's vocabulary.
      option: where the user gave the prompt, for the error message.

    Raises:
      UserError: the prompt has no token, or none is known, or one is unknown and the vocabulary
        has no <unk>.
    """
    known = set(vocabulary.words)
    tokens = [word if word in known else word.lower() for word in tokenize(text, config)]
    unknown = list(dict.fromkeys(word for word in tokens if word not in known))
    shown = f"{text[:MAX_CHARACTERS_SHOWN]!r}{'...' if len(text) > MAX_CHARACTERS_SHOWN else ''}"
    given = f"{option}={shown}"
    if not tokens:
        raise UserError(f"{given} has no words in it; give some, or leave it out.")
    if unknown and (vocabulary.unk_id is None or not known & set(tokens)):
        names = ", ".join(map(repr, unknown))
        raise UserError(
            f"{given}: the vocabulary does not have {names}; use words that the "
            "training text has, or raise data.vocab_size."
        )
    return Prompt(ids=vocabulary.encode(tokens), unknown=unknown)


def choose_prompt(given: str | None, config: DataConfig, dataset: Dataset, option: str) -> Prompt:
    """Read the prompt that was given; None: take the start of the validation text.

    Raises:
      UserError: as `read_prompt`.
    """
    if given is None:
        return Prompt(dataset.valid[: DEFAULT_PROMPT_TOKENS[config.level]], [])
    return read_prompt(given, config, dataset.vocabulary, option)


def unknown_words_notice(prompt: Prompt, option: str) -> str | None:
    """One sentence that names the unknown words of a prompt; None where all are known."""
    if not prompt.unknown:
        return None
    names = ", ".join(map(repr, prompt.unknown))
    return f"{option}: the vocabulary does not have {names}; read as {UNKNOWN}."
