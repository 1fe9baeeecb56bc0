"""Settings of the neural cache to try; without JAX, for the command line."""

from collections.abc import Sequence
from typing import NamedTuple


class CacheGrid(NamedTuple):
    """Settings of the neural cache: all combinations of these values.

    `lm.evaluation.neural_cache` defines them.
    """

    windows: Sequence[int]
    shares: Sequence[float]
    thetas: Sequence[float]

    @property
    def size(self) -> int:
        """Number of combinations."""
        return len(self.windows) * len(self.shares) * len(self.thetas)

    def boundary_values(self, window: int, share: float, theta: float) -> list[str]:
        """Name the values that are the smallest or the largest tried, so that a better one may lie
        beyond them.

        A value that was tried alone does not count, and neither does 0.
        """
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


DEFAULT_CACHE = CacheGrid(windows=[500], shares=[0.1], thetas=[0.3])
"""The cache that `--cache` takes where nothing else is given."""

DEFAULT_GRID = CacheGrid(
    windows=[100, 500, 2000],
    shares=[0.01, 0.02, 0.05, 0.08, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4],
    thetas=[0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0],
)
"""The search that `--cache-search` makes where nothing else is given.

Its cost grows with the windows and thetas; values of lambda cost next to nothing.
"""
