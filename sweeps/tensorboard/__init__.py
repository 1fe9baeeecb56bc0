"""TensorBoard: event files, hyperparameters, charts, projector, links and the server.

The package itself has what a program logs, as plain values. These import no TensorBoard.
"""

from sweeps.tensorboard.values import Blob, Embedding, Histogram, Summary, Tensor, Text

__all__ = ["Blob", "Embedding", "Histogram", "Summary", "Tensor", "Text"]
