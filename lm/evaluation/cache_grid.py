"""Neural caches to choose from; without JAX, for the command line."""

from collections.abc import Sequence
from typing import NamedTuple


class CacheGrid(NamedTuple):
    """All combinations of these numbers; see `lm.evaluation.neural_cache`."""

    windows: Sequence[int]
    shares: Sequence[float]
    thetas: Sequence[float]

    @property
    def size(self) -> int:
        """Caches in it."""
        return len(self.windows) * len(self.shares) * len(self.thetas)

    def ends(self, window: int, share: float, theta: float) -> list[str]:
        """Which of a cache's numbers are the smallest or the largest of several, so that a better
        one may lie beyond; 0 is no such end."""
        named = {
            "window": (window, self.windows),
            "lambda": (share, self.shares),
            "theta": (theta, self.thetas),
        }
        return [
            f"{name} {value:g}"
            for name, (value, tried) in named.items()
            if len(tried) > 1 and value in (min(tried), max(tried)) and value > 0
        ]


DEFAULT_CACHE = CacheGrid([500], [0.1], [0.3])
"""Where nothing else is asked for."""

DEFAULT_GRID = CacheGrid(
    windows=[100, 500, 2000],
    shares=[0.01, 0.02, 0.05, 0.08, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4],
    thetas=[0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0],
)
"""A search where nothing else is asked for: it costs by window and theta, lambda is free."""
