"""A trained model as a Python object, for programs and notebooks."""

from lm.inference.model import Model, load
from lm.inference.scored_text import ScoredText

__all__ = ["Model", "ScoredText", "load"]
