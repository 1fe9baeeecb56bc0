"""Evaluate a model on texts, and search the best settings of its neural cache."""

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lm.config import TrainConfig
from lm.data.windows import context_size
from lm.evaluation.cache_grid import CacheGrid
from lm.evaluation.neural_cache import NeuralCache, best_cache, interpolate
from lm.evaluation.scoring import score_tokens
from lm.evaluation.texts import EvaluationText, load_splits
from lm.evaluation.token_scores import TokenScores
from lm.training.load import TrainedModel


class Evaluation(NamedTuple):
    """The result of an evaluation."""

    texts: list[TokenScores]
    cache: NeuralCache | None
    grid: CacheGrid | None
    """The settings tried; the cache has the lowest perplexity of them on the validation split."""


def evaluate(
    trained: TrainedModel,
    texts: Sequence[EvaluationText],
    train: TrainConfig,
    grid: CacheGrid | None,
) -> Evaluation:
    """Evaluate a model on texts.

    Args:
      trained: the model.
      texts: each is read from a zero state and, with a cache, from an empty one.
      train: how they are read, of `lm.evaluation.scoring.evaluation_config`.
      grid: settings of the neural cache to try; None: no cache.

    Raises:
      UserError: a text is too short, or the validation split is needed and not there.
    """
    cache = None if grid is None else _search_cache(trained, train, grid)
    found = [_score_text(trained, text, train, cache) for text in texts]
    return Evaluation(texts=found, cache=cache, grid=grid)


def _search_cache(trained: TrainedModel, train: TrainConfig, grid: CacheGrid) -> NeuralCache:
    if grid.size == 1:
        return NeuralCache(window=grid.windows[0], share=grid.shares[0], theta=grid.thetas[0])
    (valid,) = load_splits(trained, ["valid"])
    settings = list(product(grid.windows, grid.thetas))
    scores = score_tokens(trained, valid.ids, train, settings)
    return best_cache(scores.log_probs, scores.cache_log_probs, settings, grid.shares)


def _score_text(
    trained: TrainedModel, text: EvaluationText, train: TrainConfig, cache: NeuralCache | None
) -> TokenScores:
    settings = [] if cache is None else [(cache.window, cache.theta)]
    scores = score_tokens(trained, text.ids, train, settings)
    cached: NDArray[np.float64] | None = None
    if cache is not None:
        cached = interpolate(scores.log_probs, scores.cache_log_probs[0], cache.share)
    first = context_size(train)
    return TokenScores(
        name=text.name,
        first=first,
        ids=text.ids[first:],
        log_probs=scores.log_probs,
        cached=cached,
    )
