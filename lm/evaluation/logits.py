"""The logits of a trained model, on the host, as precisely as its device computes."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from lm.model.types import Carry, Params
from lm.training.functions import build_functions, make_static_config
from lm.training.load import TrainedModel
from lm.training.state import StepSpec

HostCarry = tuple[tuple[NDArray[np.float32], ...], ...]


def logits_function(
    trained: TrainedModel,
) -> Callable[[NDArray[np.int32], HostCarry], tuple[NDArray[np.float32], HostCarry]]:
    """Return how a model reads words: (ids [T, B], carry) -> logits [T, B, V] and the carry.

    Matrix products are float32 throughout, whatever the model was trained with.
    """
    train = replace(trained.config.train, precision="float32")
    static = make_static_config(replace(trained.config, train=train), len(trained.vocabulary))
    compiled = build_functions(static).compile_beside(_logits, recurrence="scan")

    def logits(ids: NDArray[np.int32], carry: HostCarry) -> tuple[Any, Any]:
        with jax.default_matmul_precision("highest"):
            found = compiled(trained.params, jnp.asarray(ids), carry)
        logits, after = jax.tree.map(np.asarray, found)
        return logits, after

    return logits


def _logits(
    spec: StepSpec, params: Params, ids_tb: Array, carry: tuple[Carry, ...]
) -> tuple[Array, tuple[Carry, ...]]:
    found: tuple[Array, tuple[Carry, ...]] = spec.merge(params)(ids_tb, carry)
    return found
