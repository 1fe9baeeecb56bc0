"""What an export has of a model: parameters by name, vocabulary, and how it was trained."""

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lm.config import Config
from lm.config.sizes import layer_sizes
from lm.data.vocabulary import Vocabulary

FORMAT = 1
"""Number of the format of all exports; a reader takes no other."""

SECTIONS = ("data", "model", "loss", "optimizer", "train")
"""Sections of a configuration that an export keeps, without the paths in them."""

FloatArray = NDArray[np.float32]
States = tuple[tuple[FloatArray, ...], ...]
"""The state of the recurrence, for each layer (h,) or (h, c), each [B, H]."""
Logits = Callable[[NDArray[np.int32], States], tuple[FloatArray, States]]
"""(ids [T, B], state) -> logits [T, B, V] and the state after the last word."""


class ExportedModel(NamedTuple):
    """A trained model without the program that trained it."""

    config: Config
    vocabulary: Vocabulary
    arrays: dict[str, FloatArray]
    """Parameters by name, such as `layers/0/bias`."""
    trial: str
    """Name of the trial's folder."""
    step: int
    """Updates that made the parameters."""
    checkpoint: str
    """Which checkpoint they are of: `best`, `last`, or its step."""

    @property
    def state_names(self) -> tuple[str, ...]:
        """Names of the arrays of a layer's state."""
        return ("h", "c") if self.config.model.cell == "lstm" else ("h",)

    @property
    def num_layers(self) -> int:
        """Recurrent layers."""
        return self.config.model.layers

    def zero_states(self, batch_size: int) -> States:
        """Return the state before the first word."""
        return tuple(
            tuple(np.zeros((batch_size, units), np.float32) for _ in self.state_names)
            for _, units in layer_sizes(self.config.model)
        )

    def description(self) -> dict[str, Any]:
        """Return plain values that say what the model is, and which of its trial's it is."""
        config, model = self.config, self.config.model
        options = {name: dataclasses.asdict(getattr(config, name)) for name in SECTIONS}
        for path in ("root", "files"):
            del options["data"][path]
        return {
            "format": FORMAT,
            "trial": self.trial,
            "checkpoint": self.checkpoint,
            "step": self.step,
            "cell": model.cell,
            "vocab_size": len(self.vocabulary),
            "embed_size": model.embed_size,
            "layer_sizes": [units for _, units in layer_sizes(model)],
            "hidden_size": model.hidden_size,
            "tie_weights": model.tie_weights,
            "corpus": config.data.name,
            "level": config.data.level,
            "predict": config.train.predict,
            "sequence_length": config.train.sequence_length,
            "config": {**options, "seed": config.seed},
        }

    def metadata(self) -> dict[str, str]:
        """Return the description and the vocabulary as texts, for formats that hold such."""
        described = {
            key: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            for key, value in self.description().items()
        }
        words = json.dumps(self.vocabulary.words, ensure_ascii=False)
        return {**described, "vocabulary": words}


def named_arrays(params: Mapping[Any, Any]) -> dict[str, FloatArray]:
    """Return parameters by name: the keys on the way to each, with `/` between them."""
    return {name: np.asarray(array, np.float32) for name, array in _walk(params, "")}


def _walk(params: Mapping[Any, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in params.items():
        if isinstance(value, Mapping):
            yield from _walk(value, f"{prefix}{key}/")
        else:
            yield f"{prefix}{key}", value


class Errors(NamedTuple):
    """How far an export's logits and states are from the model's: largest absolute differences."""

    from_equal_states: float
    """Over two words, from a state of the model."""
    over_text: float
    """Over `STEPS` words from a zero state; a model in which small differences grow has larger
    ones here."""
    scale: float
    """Largest absolute value that was compared."""


STEPS, WINDOW, STREAMS = 70, 2, 4
"""Words of a text that is compared, words that are read at once, and texts side by side."""


def compare(model: ExportedModel, logits: Logits, reference: Logits) -> Errors:
    """Compare the logits and states of an export with those of the model itself.

    The words are drawn as often as the training text has them.

    Args:
      model: the model.
      logits: computes with what was written.
      reference: computes with the model itself.
    """
    draw = np.random.default_rng(0)
    counts = np.maximum(np.array(model.vocabulary.counts, np.float64), 1)
    text = draw.choice(len(counts), (STEPS, STREAMS), p=counts / counts.sum()).astype(np.int32)
    own = state = model.zero_states(STREAMS)
    near, far, scale = [0.0], [0.0], [0.0]
    for start in range(0, STEPS, WINDOW):
        ids = text[start : start + WINDOW]
        from_equal_states = logits(ids, state)
        own_logits, own = logits(ids, own)
        expected, state = reference(ids, state)
        near.append(_difference(from_equal_states, (expected, state)))
        far.append(_difference((own_logits, own), (expected, state)))
        scale += [float(np.abs(array).max()) for array in _flat((expected, state))]
    # Not Python's maximum, which may leave out what is no number.
    return Errors(*(float(np.max(numbers)) for numbers in (near, far, scale)))


def _difference(one: tuple[FloatArray, States], other: tuple[FloatArray, States]) -> float:
    pairs = zip(_flat(one), _flat(other), strict=True)
    found = []
    for mine, theirs in pairs:
        assert mine.shape == theirs.shape
        found.append(float(np.abs(np.float64(mine) - np.float64(theirs)).max()))
    return float(np.max(found))


def _flat(read: tuple[FloatArray, States]) -> list[FloatArray]:
    logits, states = read
    return [logits, *(array for layer in states for array in layer)]
