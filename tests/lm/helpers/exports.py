"""Models of all shapes, with parameters none of which is zero, as an export has them."""

from collections.abc import Callable, Sequence
from functools import cache
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np

from lm.config import parse_config
from lm.data.vocabulary import Vocabulary
from lm.evaluation.logits import logits_function
from lm.model.initializers import init_scales
from lm.serialization.exported import ExportedModel, Logits, named_arrays
from lm.training.functions import build_functions, make_static_config

WORDS = ["<unk>", "tab\t", "back\\slash", "\n", "\u2028", *(f"word{i}" for i in range(12))]

STREAMS = 3

SHAPES: dict[str, tuple[str, ...]] = {
    **{cell: (f"model.cell={cell}",) for cell in ("rnn", "gru", "lstm")},
    **{
        f"{cell}_stack": (
            f"model.cell={cell}",
            "model.layers=3",
            "model.last_size=4",
            "model.hidden_size=null",
        )
        for cell in ("rnn", "gru", "lstm")
    },
    "tied": ("model.layers=2", "model.embed_size=6", "model.tie_weights=true"),
    "tied_gru": (
        "model.cell=gru",
        "model.hidden_size=null",
        "model.embed_size=7",
        "model.tie_weights=true",
    ),
    "dropout": ("model.dropout=0.5", "model.weight_drop=0.5", "model.embedding_dropout=0.3"),
    "last": ("train.predict=last",),
}


@cache
def make_exported(
    compose: Callable[..., dict[str, Any]], overrides: tuple[str, ...]
) -> tuple[ExportedModel, Logits, Any]:
    """Return a model as an export has it, how it computes itself, and its parameters."""
    sizes = ("model.embed_size=5", "model.rnn_size=7", "model.hidden_size=6")
    config = parse_config(compose(*sizes, *overrides))
    vocabulary = Vocabulary(WORDS, list(range(len(WORDS), 0, -1)))
    functions = build_functions(make_static_config(config, len(vocabulary)))
    state = functions.initialize(jax.random.key(0), init_scales(config.model))
    draw = np.random.default_rng(1)
    params = jax.tree.map(
        lambda x: x + draw.uniform(-0.5, 0.5, x.shape).astype(np.float32), state.params
    )
    made = ExportedModel(config, vocabulary, named_arrays(params), "trial", 3, "best")
    trained: Any = SimpleNamespace(config=config, vocabulary=vocabulary, params=params)
    return made, logits_function(trained), params


def windows(steps: Sequence[int], streams: int) -> list[np.ndarray]:
    """Word ids for windows of so many steps."""
    draw = np.random.default_rng(2)
    return [draw.integers(0, len(WORDS), (count, streams), np.int32) for count in steps]


def assert_equal_logits(model: ExportedModel, logits: Logits, reference: Logits) -> None:
    """Logits and states of windows of several lengths, one after another, agree within 1e-5."""
    found = expected = model.zero_states(STREAMS)
    for ids in windows((5, 1), STREAMS):
        found_logits, found = logits(ids, found)
        expected_logits, expected = reference(ids, expected)
        assert found_logits.shape == (*ids.shape, len(model.vocabulary))
        np.testing.assert_allclose(found_logits, expected_logits, rtol=0, atol=1e-5)
        for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)
            assert np.abs(other).max() > 0.01
