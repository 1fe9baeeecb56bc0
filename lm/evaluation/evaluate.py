"""Evaluates a model on texts, and finds the numbers of its cache."""

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lm.config.schema import TrainConfig
from lm.data.windows import context_size
from lm.evaluation.cache_grid import CacheGrid
from lm.evaluation.neural_cache import NeuralCache, best_cache, interpolate
from lm.evaluation.scoring import score_tokens
from lm.evaluation.texts import EvaluationText, load_splits
from lm.evaluation.token_scores import TokenScores
from lm.training.load import TrainedModel


class Evaluation(NamedTuple):
    """What came out."""

    texts: list[TokenScores]
    cache: NeuralCache | None
    tried: CacheGrid | None
    """That it is the best of, on the validation split."""


def evaluate(
    trained: TrainedModel,
    texts: Sequence[EvaluationText],
    train: TrainConfig,
    grid: CacheGrid | None,
) -> Evaluation:
    """Read texts.

    Args:
      trained: the model.
      texts: each is read from a zero state and, with a cache, from an empty one.
      train: how; see `lm.evaluation.scoring.evaluation_config`.
      grid: of caches; None: none.

    Raises:
      UserError: a text is too short, or the validation split is needed and not there.
    """
    cache = None if grid is None else _search_cache(trained, train, grid)
    found = [_score_text(trained, text, train, cache) for text in texts]
    return Evaluation(found, cache, grid)


def _search_cache(trained: TrainedModel, train: TrainConfig, grid: CacheGrid) -> NeuralCache:
    if grid.size == 1:
        return NeuralCache(grid.windows[0], grid.shares[0], grid.thetas[0])
    (valid,) = load_splits(trained, ["valid"])
    settings = list(product(grid.windows, grid.thetas))
    reading = score_tokens(trained, valid.ids, train, settings)
    return best_cache(reading.log_probs, reading.recalled, settings, grid.shares)


def _score_text(
    trained: TrainedModel, text: EvaluationText, train: TrainConfig, cache: NeuralCache | None
) -> TokenScores:
    settings = [] if cache is None else [(cache.window, cache.theta)]
    reading = score_tokens(trained, text.ids, train, settings)
    cached: NDArray[np.float64] | None = None
    if cache is not None:
        cached = interpolate(reading.log_probs, reading.recalled[0], cache.share)
    first = context_size(train)
    return TokenScores(text.name, first, text.ids[first:], reading.log_probs, cached)
