"""A small model of random weights before a batch, in float64, and its gradients taken apart."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from lm.config import Config
from lm.data.batches import Batch
from lm.gradient_flow.back import Layer, Parts, go_back
from lm.gradient_flow.batch import read_layers
from lm.model import LanguageModel
from lm.step import Recipe, batch_loss, draw

VOCAB, BATCH, LENGTH, UNITS = 11, 3, 6, 5
SIZES = (
    f"train.batch_size={BATCH}",
    f"train.sequence_length={LENGTH}",
    f"model.rnn_size={UNITS}",
)
Full = NDArray[np.float64]


class Case:
    """Make it and use it under `jax.enable_x64`."""

    def __init__(self, config: Config) -> None:
        random = np.random.default_rng(1)
        self.plain, self.itemised = (_recipe(config, by) for by in ("scan", "itemised"))
        model = LanguageModel(config.model, VOCAB, rngs=nnx.Rngs(params=jax.random.key(0)))
        like = nnx.to_pure_dict(nnx.state(model, nnx.Param)), model.zero_carry(BATCH)
        self.params, self.carry = jax.tree.map(
            lambda x: jnp.asarray(0.7 * random.normal(size=x.shape)), like
        )
        ids = jnp.asarray(random.integers(0, VOCAB, (LENGTH + 1, BATCH)), jnp.int32)
        targets = ids[1:] if config.train.predict == "all" else ids[-1]
        self.reading, key = draw(self.plain, Batch(ids[:-1], targets), jax.random.key(2))
        self.dropout = jnp.asarray(config.model.dropout), key

    def gradient(self) -> Any:
        """The ordinary one, of the mean loss."""
        grads, _ = jax.grad(batch_loss, argnums=1, has_aux=True)(
            self.plain, self.params, self.carry, self.reading, self.dropout
        )
        return grads

    def layers(self) -> list[Layer]:
        read = self.params, self.carry, self.reading, self.dropout
        return read_layers(self.itemised, *read)[0]

    def parts(self, reach: int) -> tuple[list[Layer], list[Parts]]:
        """Nothing summarised: [T, R, B, ...]."""
        layers = self.layers()
        return layers, go_back(layers, reach, lambda parts: parts)


def contributions(layer: Layer, of_u: Any) -> Full:
    """G itself, [T, R, B, H, G*H], at [j, k]."""
    h_tbh = np.asarray(layer.kept.before[0])
    return np.einsum("jbh,jkbz->jkbhz", h_tbh, np.asarray(of_u))


def _recipe(config: Config, recurrence: str) -> Recipe:
    rngs = nnx.Rngs(params=jax.random.key(0))
    model = LanguageModel(config.model, VOCAB, recurrence=recurrence, rngs=rngs)
    merge = partial(nnx.merge, nnx.graphdef(model))
    has_dropout = config.model.dropout > 0
    return Recipe(merge, config.loss, config.optimizer, config.train, has_dropout, VOCAB)
