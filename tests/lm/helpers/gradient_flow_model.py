"""A small model of random weights before a batch, in float64, and its gradients taken apart."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from numpy.typing import NDArray

from lm.config import Config
from lm.data.batches import Batch
from lm.gradient_flow.backward import (
    Factors,
    Layer,
    LayerGradients,
    backward_through_time,
    factors_of,
)
from lm.gradient_flow.itemize import forward_layers
from lm.model.language_model import LanguageModel
from lm.model.scan_vjp import Residuals
from lm.model.types import Carry, Params
from lm.optim.optimizer import hyperparameters
from lm.training.randomness import presample, random_spec
from lm.training.state import StepSpec
from lm.training.step import batch_loss, step_batch

VOCAB, BATCH, LENGTH, UNITS = 11, 3, 6, 5
SIZES = (
    f"train.batch_size={BATCH}",
    f"train.sequence_length={LENGTH}",
    f"model.rnn_size={UNITS}",
)
T = TypeVar("T")
Full = NDArray[np.float64]


class Case:
    """Make it and use it under `jax.enable_x64`."""

    def __init__(self, config: Config) -> None:
        random = np.random.default_rng(1)
        self.spec = _step_spec(config)

        def start() -> tuple[Params, tuple[Carry, ...]]:
            model = LanguageModel(config.model, VOCAB, rngs=nnx.Rngs(params=jax.random.key(0)))
            return nnx.to_pure_dict(nnx.state(model, nnx.Param)), model.zero_carry(BATCH)

        self.params, self.carry = jax.tree.map(
            lambda x: jnp.asarray(0.7 * random.normal(size=x.shape)), jax.eval_shape(start)
        )
        ids = jnp.asarray(random.integers(0, VOCAB, (LENGTH + 1, BATCH)), jnp.int32)
        targets = ids[1:] if config.train.predict == "all" else ids[-1]
        batch = Batch(ids[:-1], targets)
        what = random_spec(config.loss, config.train, VOCAB, length=9 * LENGTH)
        rows = presample(what, jax.random.key(2), jnp.int32(0), 1)
        randomness = jax.tree.map(lambda row: row[0], rows)
        hyperparams = hyperparameters(config, 0)
        inputs = step_batch(batch, randomness.candidates)
        self.batch = inputs.with_dropout(self.spec, self.params, hyperparams, randomness)
        self._call = hyperparams, self.params, self.carry, self.batch

    def gradient(self) -> Any:
        """The gradient of the mean loss, as training has it."""
        gradient = jax.grad(batch_loss, argnums=2, has_aux=True)
        return jax.jit(partial(gradient, self.spec))(*self._call)[0]

    def inside(self, look: Callable[[list[Layer]], T]) -> T:
        """Apply `look` to the layers as they read the batch, in one program."""
        return jax.jit(lambda *call: look(forward_layers(self.spec, *call)[0]))(*self._call)


class Part(NamedTuple):
    """Gradients of a layer by step and distance, [T, K, B, any]."""

    du: tuple[Array, ...]
    """Of u_z: a part through each array of the carry; they add up."""
    dx: tuple[Array, ...]
    """Of x_z."""
    down: Array
    """Of the layer's input; of width 0 for the lowest layer."""


def everything(layers: list[Layer]) -> tuple[list[Residuals], list[Part]]:
    """Keep everything of all losses of the batch."""
    return [layer.residuals for layer in layers], all_parts(layers, LENGTH)


def all_parts(layers: list[Layer], reach: int) -> list[Part]:
    """Propagate losses back, and keep everything that is kept apart."""

    def keep(gradients: list[LayerGradients], factors: list[Factors]) -> tuple[list[Part], None]:
        triples = zip(layers, gradients, factors, strict=True)
        return [expand(*triple) for triple in triples], None

    def expand(layer: Layer, part: LayerGradients, factors: Factors) -> Part:
        def of_gates(state: Array, of_state: tuple[Array, ...], by_gate: Array) -> Array:
            channels = [state * by[..., None] for by in of_state]
            gates = [channels[channel] for channel in layer.vjp.channel_of_gate]
            return (jnp.concatenate(gates, axis=1) * by_gate[..., None])[..., :reach]

        states = list(zip(part.states, factors.by_state, strict=True))
        ways = [tuple(of_gates(*one, by) for one in states) for by in (factors.by_u, factors.by_x)]
        down = part.states[0][:, :0] if part.down is None else part.down
        return Part(*ways, down[..., :reach])

    factors = [factors_of(layer) for layer in layers]
    parts, _ = backward_through_time(layers, reach, keep, factors)
    found: list[Part] = jax.tree.map(lambda x: jnp.moveaxis(x, -1, 1), parts)
    return found


def contributions(residuals: Residuals, du: Any) -> Full:
    """G itself, [T, R, B, H, G*H], at [j, k]."""
    return np.einsum("jbh,jkbz->jkbhz", np.asarray(residuals.before[0]), np.asarray(du))


def _step_spec(config: Config) -> StepSpec:
    def make() -> LanguageModel:
        rngs = nnx.Rngs(params=jax.random.key(0))
        return LanguageModel(config.model, VOCAB, rngs=rngs)

    merge = partial(nnx.merge, nnx.graphdef(nnx.eval_shape(make)))
    return StepSpec(
        merge=merge,
        model=config.model,
        loss=config.loss,
        optimizer=config.optimizer,
        train=config.train,
        vocab_size=VOCAB,
    )
