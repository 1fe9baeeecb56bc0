"""Evaluates a model on texts, and finds the numbers of its cache."""

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lm.config.schema import TrainConfig
from lm.data.windows import context
from lm.evaluation.cache_grid import Grid
from lm.evaluation.neural_cache import Cache, choose, mix
from lm.evaluation.scoring import read
from lm.evaluation.texts import Text, splits_of
from lm.evaluation.token_scores import Predicted
from lm.training.load import Trained


class Evaluation(NamedTuple):
    """What came out."""

    texts: list[Predicted]
    cache: Cache | None
    tried: Grid | None
    """That it is the best of, on the validation split."""


def evaluate(
    trained: Trained, texts: Sequence[Text], train: TrainConfig, grid: Grid | None
) -> Evaluation:
    """Read texts.

    Args:
      trained: the model.
      texts: each is read from a zero state and, with a cache, from an empty one.
      train: how; see `lm.evaluation.scoring.layout`.
      grid: of caches; None: none.

    Raises:
      UserError: a text is too short, or the validation split is needed and not there.
    """
    cache = None if grid is None else _find(trained, train, grid)
    found = [_predicted(trained, text, train, cache) for text in texts]
    return Evaluation(found, cache, grid)


def _find(trained: Trained, train: TrainConfig, grid: Grid) -> Cache:
    if grid.size == 1:
        return Cache(grid.windows[0], grid.shares[0], grid.thetas[0])
    (valid,) = splits_of(trained, ["valid"])
    settings = list(product(grid.windows, grid.thetas))
    reading = read(trained, valid.ids, train, settings)
    return choose(reading.log_probs, reading.recalled, settings, grid.shares)


def _predicted(trained: Trained, text: Text, train: TrainConfig, cache: Cache | None) -> Predicted:
    settings = [] if cache is None else [(cache.window, cache.theta)]
    reading = read(trained, text.ids, train, settings)
    cached: NDArray[np.float64] | None = None
    if cache is not None:
        cached = mix(reading.log_probs, reading.recalled[0], cache.share)
    first = context(train)
    return Predicted(text.name, first, text.ids[first:], reading.log_probs, cached)
