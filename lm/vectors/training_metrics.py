"""Scores of the word vectors that training reports at each evaluation (`log.vector_scores`).

`vectors/simlex`, `vectors/wordsim` (Spearman's rank correlation) and `vectors/analogies` (share of
right answers) are of the embedding; `vectors/output_simlex` and so on are of the softmax's
weights, unless they are tied. `vectors/simlex_share` and so on, reported once, are the shares of
the questions that the vocabulary can answer.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lm.config.validate import KINDS, OPTION, PREFIXES
from lm.vectors.benchmarks import Benchmarks, any_answerable
from lm.vectors.scores import answerable_shares, point_scores
from sweeps.errors import UserError


def vector_metrics(params: Mapping[str, Any], asked: Benchmarks, first: bool) -> dict[str, float]:
    """Scores of a model's word vectors, by tag.

    Args:
      params: of the model.
      asked: the questions that its vocabulary can answer.
      first: whether this is the first evaluation, which reports the shares of questions, too.
    """
    found: dict[str, float] = {}
    for name, prefix in PREFIXES.items():
        if "weight" in params[name]:
            of_table = point_scores(np.asarray(params[name]["weight"]), asked)
            found |= {prefix + kind: of_table[kind] for kind in KINDS}
    if first:
        found |= {
            f"vectors/{kind}_share": share for kind, share in answerable_shares(asked).items()
        }
    return found


def check_vocabulary(words: Sequence[str], metric: str) -> None:
    """Refuse a vocabulary that can answer no question, or none of the metric that ranks a sweep.

    Raises:
      UserError: the scores would be NaN throughout.
    """
    ranking = metric.removeprefix("vectors/").removeprefix("output_")
    kinds = [ranking] if ranking in KINDS else KINDS
    if not any_answerable(words, kinds):
        raise UserError(
            f"{OPTION}=true, but none of the questions ({', '.join(kinds)}) has all its words in "
            "the vocabulary; take a larger text, or leave it false."
        )
