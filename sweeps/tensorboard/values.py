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


class Tensor(NamedTuple):
    """Numbers for a plugin of TensorBoard."""

    values: Any
    """Array f32, of any shape."""
    plugin: str
    """Its name."""
    content: bytes
    """What the plugin is told of all records under this tag; the first one's counts."""


class Blob(NamedTuple):
    """Bytes for a plugin of TensorBoard, in a form of its own."""

    data: bytes
    plugin: str
    content: bytes
    """As a tensor's."""


Summary = Histogram | Text | Tensor | Blob
"""What a run shows at a step."""
