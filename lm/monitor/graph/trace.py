"""Trace a language model to a jaxpr, without computing anything.

Nothing is allocated: a vocabulary of a million words costs as little as one of ten. The model is
traced as in evaluation, without dropout, up to the mean loss over the full softmax.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array, ShapeDtypeStruct
from jax.extend.core import ClosedJaxpr

from lm.config import ModelConfig
from lm.losses.softmax import cross_entropy
from lm.model.language_model import LanguageModel
from lm.model.types import Carry, Params


class GraphInput(NamedTuple):
    """An input of the computation."""

    scope: str
    """Module that it belongs to, or empty."""
    name: str
    op: str
    """`Variable`: a parameter; `Placeholder`: words or a state."""


def trace(
    config: ModelConfig, vocab_size: int, batch_size: int, sequence_length: int
) -> tuple[ClosedJaxpr, list[GraphInput]]:
    """Trace a model: the jaxpr, each operation in the scope of its module, and its inputs."""
    model = nnx.eval_shape(
        lambda: LanguageModel(config, vocab_size, rngs=nnx.Rngs(params=jax.random.key(0)))
    )
    params = nnx.to_pure_dict(nnx.state(model, nnx.Param))
    words = ShapeDtypeStruct((sequence_length, batch_size), jnp.int32)
    carries = jax.eval_shape(lambda: model.zero_carry(batch_size))
    merge = partial(nnx.merge, nnx.graphdef(model))
    jaxpr = jax.make_jaxpr(partial(_mean_loss, merge))(params, words, words, carries)
    return jaxpr, [
        *_parameters(params),
        GraphInput("", "words", "Placeholder"),
        GraphInput("", "targets", "Placeholder"),
        *_states(carries),
    ]


STATES = ("h", "c")
"""Names of a layer's states; only the lstm has the second."""


def _mean_loss(
    merge: Callable[[Params], LanguageModel],
    params: Params,
    words_tb: Array,
    targets_tb: Array,
    carries: tuple[Carry, ...],
) -> tuple[Array, tuple[Carry, ...]]:
    model = merge(params)
    features, carries = model.features(words_tb, carries)
    with jax.named_scope("loss"):
        logits_nv = model.logits(features.reshape(-1, features.shape[-1]))
        losses = cross_entropy(logits_nv, targets_tb.reshape(-1))
        return losses.mean(), carries


def _scope(path: Sequence[Any]) -> str:
    """Scope of a module: `layer_1` for ('layers', 0), else the attribute's name."""
    return f"layer_{path[1] + 1}" if path[0] == "layers" else "/".join(map(str, path))


def _parameters(params: Params) -> list[GraphInput]:
    paths, _ = jax.tree_util.tree_flatten_with_path(params)
    keys = [[entry.key for entry in path] for path, _ in paths]
    return [GraphInput(_scope(path[:-1]), path[-1], "Variable") for path in keys]


def _states(carries: Sequence[Carry]) -> list[GraphInput]:
    return [
        GraphInput(f"layer_{index}", f"start_{state}", "Placeholder")
        for index, carry in enumerate(carries, 1)
        for state, _ in zip(STATES, carry, strict=False)
    ]
