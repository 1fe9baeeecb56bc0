"""What a trial shows in TensorBoard beside its numbers, as plain values."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Embedding(NamedTuple):
    """Points for the projector."""

    vectors: NDArray[np.float32]
    """[N, D]."""
    rows: Sequence[Sequence[str]]
    """What is known of each point, [N, M]; the first column is its label."""
    columns: Sequence[str]
    """The M columns' heads."""
