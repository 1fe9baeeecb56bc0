"""The compiled functions of a trial, shared by trials that differ only in numbers."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from lm.config import Config, LossConfig, ModelConfig, OptimizerConfig, TrainConfig
from lm.model import LanguageModel, Scales, scales
from lm.optimizer import Hyperparameters, build_optimizer
from lm.packing import without_arrays
from lm.perplexity import HeldOut, window_losses
from lm.step import Params, Recipe, Totals, TrainState, train_lanes, train_steps


class ProgramKey(NamedTuple):
    """The static choices of a trial; equal keys share compiled code within a process."""

    model: ModelConfig
    loss: LossConfig
    optimizer: OptimizerConfig
    train: TrainConfig
    vocab_size: int


class Program(NamedTuple):
    """Functions of a trial; JAX compiles each at its first call."""

    initialize: Callable[[Array, Scales], TrainState]
    """(key, scales) -> the state before the first update."""
    train: Callable[[TrainState, Hyperparameters, Array, Array, int], tuple[TrainState, Totals]]
    """(state, hyperparameters, streams_lb, key, steps) -> the state after so many steps. The state
    that goes in is donated: its buffers are used for the one that comes out."""
    evaluate: Callable[[Params, HeldOut], Array]
    """-> summed negative log-likelihood of each window of a held-out text."""
    train_lanes: Callable[
        [TrainState, Totals, Hyperparameters, Array, Array, int], tuple[TrainState, Totals]
    ]
    """The same for a pack: (state, totals, hyperparameters, streams_lb, keys, steps), all but
    `streams_lb` and `steps` with a first axis of lanes; compiled once for each number of them."""
    evaluate_lanes: Callable[[Params, HeldOut], Array]
    """The same for a pack's parameters and one text."""


def program_key(config: Config, vocab_size: int) -> ProgramKey:
    """Strip what comes in as an array or does not reach the device."""
    code = without_arrays(config)
    train = replace(code.train, report_every=1)
    return ProgramKey(code.model, code.loss, code.optimizer, train, vocab_size)


@lru_cache(maxsize=8)
def build_program(key: ProgramKey) -> Program:
    """Make a trial's functions."""

    def make_model(rng: Array, start: Scales) -> LanguageModel:
        return LanguageModel(key.model, key.vocab_size, rngs=nnx.Rngs(params=rng), start=start)

    def initialize(rng: Array, start: Scales) -> TrainState:
        model = make_model(rng, start)
        params = nnx.to_pure_dict(nnx.state(model, nnx.Param))
        zeros = Hyperparameters(*(jnp.float32(0) for _ in Hyperparameters._fields))
        optimizer = build_optimizer(key.optimizer, zeros).init(params)
        return TrainState(params, optimizer, model.zero_carry(key.train.batch_size), jnp.int32(0))

    graph = nnx.graphdef(nnx.eval_shape(make_model, jax.random.key(0), scales(key.model)))
    merge = partial(nnx.merge, graph)
    recipe = Recipe(merge, key.loss, key.optimizer, key.train, key.model.dropout > 0)

    def evaluate(params: Params, text: HeldOut) -> Array:
        return window_losses(merge(params), text)

    return Program(
        jax.jit(initialize),
        jax.jit(partial(train_steps, recipe), donate_argnums=0),
        jax.jit(evaluate),
        jax.jit(partial(train_lanes, recipe), donate_argnums=0),
        jax.jit(jax.vmap(evaluate, in_axes=(0, None))),
    )


def count_parameters(params: Params) -> int:
    """Numbers that training changes."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))
