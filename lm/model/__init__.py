"""The language model: embedding, recurrent cells, hidden layer and output layer.

`lm.model.types` and `lm.model.dropout` are also imported by their paths, by packages that need no
model.
"""

from lm.model.cells import CELLS, GRUCell, LSTMCell, RecurrentCell, RNNCell
from lm.model.initializers import InitScales, init_scales
from lm.model.language_model import Activations, LanguageModel
from lm.model.output_layer import OutputLayer
from lm.model.recurrence import run_cell, run_cell_with_residuals, scan_cell
from lm.model.types import Carry, Params

__all__ = [
    "CELLS",
    "Activations",
    "Carry",
    "GRUCell",
    "InitScales",
    "LSTMCell",
    "LanguageModel",
    "OutputLayer",
    "Params",
    "RNNCell",
    "RecurrentCell",
    "init_scales",
    "run_cell",
    "run_cell_with_residuals",
    "scan_cell",
]
