"""Texts to evaluate a model on: splits of its corpus, or files."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lm.data.batches import Ids
from lm.data.text_files import read_text
from lm.data.tokenizer import tokenize
from lm.data.vocabulary import UNKNOWN, Vocabulary
from lm.data.windows import context_size
from lm.training.load import TrainedModel, load_trial_dataset
from sweeps.errors import UserError

SPLITS = ("train", "valid", "test")


class EvaluationText(NamedTuple):
    """A text to evaluate on."""

    name: str
    ids: Ids
    unknown: int = 0
    """Number of tokens of a file that the vocabulary lacks; they are read as <unk>."""


def load_splits(trained: TrainedModel, names: Sequence[str] | None) -> list[EvaluationText]:
    """Load splits of the corpus; None: validation, and test where there is one.

    Raises:
      UserError: the corpus is missing or another now, or lacks the split.
    """
    dataset = load_trial_dataset(trained)
    found = {name: EvaluationText(name, getattr(dataset, name)) for name in SPLITS}
    if names is None:
        return [text for text in found.values() if text.name != "train" and len(text.ids)]
    for name in names:
        if not len(found[name].ids):
            raise UserError(f"{trained.trial.directory} has no {name} split; choose another one.")
    return [found[name] for name in names]


def load_file(trained: TrainedModel, path: Path) -> EvaluationText:
    """Read a file, cut into tokens as the corpus was and numbered by the trial's vocabulary.

    Raises:
      UserError: it cannot be read or is too short, or a token is unknown and there is no <unk>.
    """
    tokens = cut_text(trained, read_text(path), str(path))
    return EvaluationText(
        name=str(path),
        ids=trained.vocabulary.encode(tokens),
        unknown=len(unknown_tokens(trained.vocabulary, tokens)),
    )


def cut_text(trained: TrainedModel, text: str, name: str) -> list[str]:
    """Cut a text into tokens as the corpus was.

    Args:
      trained: the model that is to predict them.
      text: its lines end in a newline sign.
      name: of the text, for the error message.

    Raises:
      UserError: it is too short, or a token is unknown and there is no <unk>.
    """
    tokens = tokenize(text, trained.config.data)
    unknown = unknown_tokens(trained.vocabulary, tokens)
    if unknown and trained.vocabulary.unk_id is None:
        lacks = "1 token that is" if len(unknown) == 1 else f"{len(unknown):,} tokens that are"
        raise UserError(
            f"{name} has {lacks} not in the vocabulary, such as {unknown[0]!r}, and the vocabulary "
            f"has no {UNKNOWN}; give a text of known ones, or train with data.vocab_size=N, which "
            "makes one."
        )
    needed = context_size(trained.config.train) + 1
    if len(tokens) < needed:
        has = "1 token" if len(tokens) == 1 else f"{len(tokens):,} tokens"
        raise UserError(
            f"{name} has {has}, and {needed} are needed to predict one; give more text."
        )
    return tokens


def unknown_tokens(vocabulary: Vocabulary, tokens: Sequence[str]) -> list[str]:
    """The tokens of a text that a vocabulary lacks, in order."""
    known = set(vocabulary.words)
    return [token for token in tokens if token not in known]
