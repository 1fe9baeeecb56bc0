"""The words that generated text begins with."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lm.config.schema import DataConfig
from lm.data.dataset import Dataset
from lm.data.tokenizer import tokenize
from lm.data.vocabulary import UNKNOWN, Vocabulary
from sweeps.errors import UserError

PROMPT_OPTION = "log.sample_prompt"
"""The option that gives a trial's prompt."""

DEFAULT_PROMPT_TOKENS = {"word": 8, "char": 40}
"""Of the validation text, that a prompt takes; for each `data.level`."""

MAX_CHARACTERS_SHOWN = 60
"""Characters of a prompt that a message repeats."""


class Prompt(NamedTuple):
    """Words to continue."""

    ids: NDArray[np.int32]
    """[P], at least one."""
    unknown: list[str]
    """Those read as <unk>, each once."""


def read_prompt(text: str, config: DataConfig, vocabulary: Vocabulary, option: str) -> Prompt:
    """Cut a prompt into tokens as the corpus is, and number them.

    Of a token that is unknown as it stands the lower case is taken. What is unknown then is read
    as <unk>, as in the held-out texts.

    Args:
      text: of at least one word.
      config: of the corpus.
      vocabulary: of the model.
      option: where the user gave the text, for the message.

    Raises:
      UserError: there is no token in it, or none is known, or one is unknown and the vocabulary
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
    return Prompt(vocabulary.encode(tokens), unknown)


def choose_prompt(given: str | None, config: DataConfig, text: Dataset, option: str) -> Prompt:
    """The prompt that was given; None: how the validation text begins. Errors as `read_prompt`."""
    if given is None:
        return Prompt(text.valid[: DEFAULT_PROMPT_TOKENS[config.level]], [])
    return read_prompt(given, config, text.vocabulary, option)


def unknown_words_notice(prompt: Prompt, option: str) -> str | None:
    """One sentence that names them; None where all are known."""
    if not prompt.unknown:
        return None
    names = ", ".join(map(repr, prompt.unknown))
    return f"{option}: the vocabulary does not have {names}; read as {UNKNOWN}."
