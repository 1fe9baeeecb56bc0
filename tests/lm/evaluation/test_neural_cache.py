"""The mixture of a model and its cache, and the choice of the best cache."""

import numpy as np

from lm.evaluation.neural_cache import best_cache, interpolate


def test_cache_without_a_share_changes_nothing_and_the_best_is_chosen() -> None:
    draw = np.random.default_rng(0)
    log_probs = np.log(draw.uniform(0.01, 0.5, 50))
    recalled = np.log(draw.uniform(0.0, 0.9, (3, 50)))
    recalled[:, 7] = -np.inf  # a word that is not in the cache
    recalled[:, 0] = np.nan  # an empty cache
    np.testing.assert_array_equal(interpolate(log_probs, recalled[0], 0.0), log_probs)
    settings, shares = [(1, 0.0), (1, 1.0), (2, 1.0)], [0.0, 0.1, 0.6, 0.99]
    best = best_cache(log_probs, recalled, settings, shares)
    p, q = np.exp(log_probs[1:]), np.exp(recalled[:, 1:])
    losses = {
        (setting, share): -np.log((1 - share) * p + share * q[i]).mean()
        for i, setting in enumerate(settings)
        for share in shares
    }
    assert min(losses, key=losses.__getitem__) == ((best.window, best.theta), best.share)
