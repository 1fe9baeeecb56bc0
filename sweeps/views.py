"""What a run can show beside its metrics, as plain values."""

from collections.abc import Sequence
from typing import Any, NamedTuple


class Histogram(NamedTuple):
    """Values that were counted in n buckets."""

    edges: Sequence[float]
    """n + 1 of them, finite, ascending."""
    counts: Sequence[float]
    """n: how many values lie in each bucket."""


class Text(NamedTuple):
    """Words to be read."""

    markdown: str


class Embedding(NamedTuple):
    """Points that have names, for the projector."""

    vectors: Any
    """Array f32[N, D]."""
    rows: Sequence[Sequence[str]]
    """What is known of each point, N times a cell for each column."""
    columns: Sequence[str]
    """What the cells are called."""


View = Histogram | Text
"""What a run shows at a step."""
