"""Interpolated modified Kneser-Ney n-gram model over one stream of ids.

Chen and Goodman 1998, "An Empirical Study of Smoothing Techniques for Language Modeling", section
3.2. Lower orders count the distinct words in front (Kneser and Ney 1995), the lowest is mixed with
the uniform distribution, so that every id has a probability above zero. NLTK's
`KneserNeyInterpolated` has one fixed discount and scores a word at a time in Python; KenLM's
estimator is a C++ program that its Python package leaves out. Hence this one, in array operations.

Shapes: N queries, K n-grams of an order, V vocabulary. An n-gram is one int64: its ids read as the
digits of a number in base V.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int32]
Keys = NDArray[np.int64]
Floats = NDArray[np.float64]


class _Order(NamedTuple):
    """One order's n-grams and histories, both sorted."""

    grams: Keys
    discounted: Floats
    """[K]: count less discount, over the count of the n-gram's history."""
    histories: Keys
    left_over: Floats
    """Probability of a history that the discounts leave to the order below."""


class KneserNey:
    """A model of the given order, estimated on `ids`."""

    def __init__(self, ids: Ids, vocab_size: int, order: int = 3) -> None:
        if vocab_size**order > np.iinfo(np.int64).max:
            raise ValueError(f"{order}-grams over {vocab_size} types do not fit 64 bits")
        self.vocab_size = vocab_size
        self.order = order
        self._orders: list[_Order] = []
        grams, counts = np.unique(_keys(ids, order, vocab_size), return_counts=True)
        for length in range(order, 0, -1):
            self._orders.insert(0, _estimate(grams, counts, vocab_size))
            # Below the highest order an n-gram counts the distinct words seen in front of it.
            grams, counts = np.unique(grams % vocab_size ** (length - 1), return_counts=True)

    def probabilities(self, ids: Ids) -> Floats:
        """P(ids[i] | the up to order - 1 ids before it), for every i: float64[N]."""
        shortest = [self._score(ids[: i + 1], i + 1)[-1:] for i in range(min(self.order, len(ids)))]
        return np.concatenate([*shortest, self._score(ids, self.order)[1:]])

    def distribution(self, history: Ids) -> Floats:
        """P(w | history) for each w of the vocabulary: float64[V]."""
        last = history[max(0, len(history) - self.order + 1) :]
        words = np.arange(self.vocab_size, dtype=np.int32)
        streams = np.column_stack([np.tile(last, (self.vocab_size, 1)), words])
        return self._mix(streams)

    def _score(self, ids: Ids, length: int) -> Floats:
        return self._mix(np.lib.stride_tricks.sliding_window_view(ids, length))

    def _mix(self, grams_nk: Ids) -> Floats:
        """P(last column | the columns before it) for each row, from the lowest order up."""
        probability = np.full(len(grams_nk), 1.0 / self.vocab_size)
        length = grams_nk.shape[1]
        for k, order in enumerate(self._orders[:length], start=1):
            keys = _number(grams_nk[:, length - k :], self.vocab_size)
            own = _look_up(order.grams, order.discounted, keys, missing=0.0)
            rest = _look_up(order.histories, order.left_over, keys // self.vocab_size, missing=1.0)
            probability = own + rest * probability
        return probability


def _estimate(grams: Keys, counts: Keys, vocab_size: int) -> _Order:
    discounts = _discounts(counts)[np.minimum(counts, 3)]
    histories, which = np.unique(grams // vocab_size, return_inverse=True)
    totals = np.bincount(which, weights=counts)
    left_over = np.bincount(which, weights=discounts) / totals
    return _Order(grams, (counts - discounts) / totals[which], histories, left_over)


def _discounts(counts: Keys) -> Floats:
    """Discounts of the counts 0, 1, 2 and 3 or more: equation 26 of Chen and Goodman."""
    n = np.bincount(np.minimum(counts, 5), minlength=6).astype(np.float64)
    if not n[1:5].all():
        # Too small a text for the estimates: absolute discounting at a usual value.
        return np.array([0.0, 0.75, 0.75, 0.75])
    y = n[1] / (n[1] + 2 * n[2])
    estimates = [i - (i + 1) * y * n[i + 1] / n[i] for i in (1, 2, 3)]
    return np.array([0.0, *np.clip(estimates, 0.0, [1, 2, 3])])


def _keys(ids: Ids, length: int, vocab_size: int) -> Keys:
    return _number(np.lib.stride_tricks.sliding_window_view(ids, length), vocab_size)


def _number(grams_nk: Ids, vocab_size: int) -> Keys:
    number = np.zeros(len(grams_nk), np.int64)
    for column in grams_nk.T:
        number = number * vocab_size + column
    return number


def _look_up(keys: Keys, values: Floats, wanted: Keys, missing: float) -> Floats:
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, values[place], missing)
