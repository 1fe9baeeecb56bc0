"""Plain values that a run can log for TensorBoard: histograms, texts, embeddings and the like."""

from collections.abc import Sequence
from typing import Any, NamedTuple


class Histogram(NamedTuple):
    """Counts of values in n buckets."""

    edges: Sequence[float]
    """Bounds of the buckets: n + 1 finite numbers in ascending order."""
    counts: Sequence[float]
    """Number of values in each of the n buckets."""


class Text(NamedTuple):
    """A text in Markdown."""

    markdown: str


class Embedding(NamedTuple):
    """Points with names, for TensorBoard's projector."""

    vectors: Any
    """Array f32[N, D]."""
    rows: Sequence[Sequence[str]]
    """Metadata of each of the N points: a cell for each column."""
    columns: Sequence[str]
    """Headings of the metadata's columns."""


class Tensor(NamedTuple):
    """Numbers for a plugin of TensorBoard."""

    values: Any
    """Array f32 of any shape."""
    plugin: str
    """Name of the plugin."""
    content: bytes
    """The plugin's own metadata of the tag; that of the tag's first value counts."""


class Blob(NamedTuple):
    """Bytes for a plugin of TensorBoard, in a format of its own."""

    data: bytes
    plugin: str
    """Name of the plugin."""
    content: bytes
    """The plugin's own metadata of the tag; that of the tag's first value counts."""


Summary = Histogram | Text | Tensor | Blob
"""A value that a run logs under a tag at an update step."""
