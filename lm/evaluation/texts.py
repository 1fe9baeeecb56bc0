"""Texts to evaluate a model on: splits of its corpus, or files."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lm.data.batches import Ids
from lm.data.text_files import read_text
from lm.data.tokenizer import tokenize
from lm.data.vocabulary import UNKNOWN
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
    vocabulary, train = trained.vocabulary, trained.config.train
    tokens = tokenize(read_text(path), trained.config.data)
    known = set(vocabulary.words)
    unknown = [token for token in tokens if token not in known]
    if unknown and vocabulary.unk_id is None:
        raise UserError(
            f"{path} has {len(unknown)} tokens that are not in the vocabulary, such as "
            f"{unknown[0]!r}, and the vocabulary has no {UNKNOWN}; give a text of known ones, or "
            "train with data.vocab_size=N, which makes one."
        )
    needed = context_size(train) + 1
    if len(tokens) < needed:
        raise UserError(
            f"{path} has {len(tokens)} tokens, and {needed} are needed to predict one; "
            "give more text."
        )
    return EvaluationText(name=str(path), ids=vocabulary.encode(tokens), unknown=len(unknown))
