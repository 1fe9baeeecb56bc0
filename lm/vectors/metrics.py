"""What training reports of its word vectors at each evaluation (`log.vector_scores`).

`vectors/simlex`, `vectors/wordsim` (Spearman's rank correlation) and `vectors/analogies` (share of
right answers) are of the embedding; `vectors/output_simlex` and so on of the softmax's weights,
unless they are the same. `vectors/simlex_share` and so on, once: questions that the vocabulary
allows, of all.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lm.vectors.judge import scores, shares
from lm.vectors.questions import Questions, any_known
from sweeps.errors import UserError

OPTION = "log.vector_scores"
KINDS = ("simlex", "wordsim", "analogies")
PREFIXES = {"embedding": "vectors/", "output": "vectors/output_"}
"""What a kind follows in a tag, for each table of a model."""


def tags(tied: bool) -> list[str]:
    """Those of the scores; `tied`: the softmax's weights are the embedding."""
    prefixes = list(PREFIXES.values())[: 1 if tied else 2]
    return [prefix + kind for prefix in prefixes for kind in KINDS]


def measure(params: Mapping[str, Any], asked: Questions, first: bool) -> dict[str, float]:
    """The scores of a model's parameters, by tag; at the first evaluation with the shares."""
    found: dict[str, float] = {}
    for name, prefix in PREFIXES.items():
        if "weight" in params[name]:
            of_table = scores(np.asarray(params[name]["weight"]), asked)
            found |= {prefix + kind: of_table[kind] for kind in KINDS}
    if first:
        found |= {f"vectors/{kind}_share": share for kind, share in shares(asked).items()}
    return found


def check_options(wanted: bool, metric: str, mode: str, level: str, tied: bool) -> None:
    """Refuse scores of characters, and a ranking by scores that are not reported or are worst.

    Args:
      wanted: `log.vector_scores`.
      metric: `sweep.metric`.
      mode: `sweep.mode`.
      level: `data.level`.
      tied: `model.tie_weights`.

    Raises:
      UserError: they do not fit.
    """
    if wanted and level == "char":
        raise UserError(
            f"{OPTION} asks about words, and with data.level=char there are none; leave it false."
        )
    if not metric.startswith("vectors/"):
        return
    if metric not in tags(tied):
        raise UserError(
            f"sweep.metric={metric} is not reported at each evaluation; choose one of "
            f"{', '.join(tags(tied))}."
        )
    if not wanted:
        raise UserError(f"sweep.metric={metric} is reported only with {OPTION}=true; set that.")
    if mode != "max":
        raise UserError(f"sweep.metric={metric} is best where it is largest; give sweep.mode=max.")


def check_words(words: Sequence[str], metric: str) -> None:
    """Refuse a vocabulary of which nothing can be asked, or nothing of what ranks a sweep.

    Raises:
      UserError: the scores would be NaN throughout.
    """
    ranking = metric.removeprefix("vectors/").removeprefix("output_")
    kinds = [ranking] if ranking in KINDS else KINDS
    if not any_known(words, kinds):
        raise UserError(
            f"{OPTION}=true, but none of the questions ({', '.join(kinds)}) has all its words in "
            "the vocabulary; take a larger text, or leave it false."
        )
