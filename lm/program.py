"""The compiled functions of a trial, shared by trials that differ only in numbers."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from lm.compute import Compute, choose, products
from lm.config import Config, LossConfig, ModelConfig, OptimizerConfig, TrainConfig
from lm.model import LanguageModel
from lm.optimizer import Hyperparameters, build_optimizer
from lm.perplexity import HeldOut, window_losses
from lm.rows import Params, can_lag, start_lagging
from lm.step import Recipe, Totals, TrainState, settle, train_steps

T = TypeVar("T")


class ProgramKey(NamedTuple):
    """The static choices of a trial; equal keys share compiled code within a process."""

    model: ModelConfig
    loss: LossConfig
    optimizer: OptimizerConfig
    train: TrainConfig
    vocab_size: int


class Program(NamedTuple):
    """Functions of a trial; JAX compiles each at its first call."""

    compute: Compute
    """How they do it on this device."""
    initialize: Callable[[Array], TrainState]
    """key -> the state before the first update."""
    train: Callable[[TrainState, Hyperparameters, Array, Array, int], tuple[TrainState, Totals]]
    """(state, hyperparameters, streams_lb, key, steps) -> the state after so many steps. The state
    that goes in is donated: its buffers are used for the one that comes out."""
    settle: Callable[[TrainState, Hyperparameters, Array], TrainState]
    """(state, hyperparameters, whether it is due) -> rows that lag behind are up to date: for
    evaluation, and before the hyperparameters change. The state that goes in is donated."""
    evaluate: Callable[[Params, HeldOut], Array]
    """-> summed negative log-likelihood of each window of a held-out text."""


def program_key(config: Config, vocab_size: int) -> ProgramKey:
    """Strip what comes in as an array or does not reach the device."""
    optimizer = replace(
        config.optimizer, learning_rate=1.0, momentum=None, hold_epochs=None, decay=1.0
    )
    train = replace(
        config.train,
        epochs=1,
        clip_norm=None,
        report_every=1,
        checkpoint_minutes=0.0,
        changes=(),  # type: ignore[arg-type]  # unlike a list it can be hashed
    )
    model = replace(config.model, dropout=0.5 if config.model.dropout > 0 else 0.0)
    return ProgramKey(model, config.loss, optimizer, train, vocab_size)


@lru_cache(maxsize=8)
def build_program(key: ProgramKey) -> Program:
    """Make a trial's functions."""

    compute = choose(key.model, key.train)

    def make_model(rng: Array) -> LanguageModel:
        rngs = nnx.Rngs(params=rng)
        return LanguageModel(key.model, key.vocab_size, recurrence=compute.recurrence, rngs=rngs)

    def initialize(rng: Array) -> TrainState:
        model = make_model(rng)
        params = nnx.to_pure_dict(nnx.state(model, nnx.Param))
        zeros = Hyperparameters(*(jnp.float32(0) for _ in Hyperparameters._fields))
        optimizer = build_optimizer(key.optimizer, zeros).init(params)
        updates = start_lagging(key.vocab_size) if can_lag(key.loss, key.optimizer) else {}
        carry = model.zero_carry(key.train.batch_size)
        return TrainState(params, optimizer, carry, updates, jnp.int32(0))

    graph = nnx.graphdef(nnx.eval_shape(make_model, jax.random.key(0)))
    merge = partial(nnx.merge, graph)
    has_dropout = key.model.dropout > 0
    recipe = Recipe(merge, key.loss, key.optimizer, key.train, has_dropout, key.vocab_size)

    def evaluate(params: Params, text: HeldOut) -> Array:
        return window_losses(merge(params), text)

    def in_precision(function: Callable[..., T]) -> Callable[..., T]:
        def computed(*arguments: Any) -> T:
            with products(compute.precision):
                return function(*arguments)

        return computed

    return Program(
        compute,
        jax.jit(initialize),
        jax.jit(in_precision(partial(train_steps, recipe)), donate_argnums=0),
        jax.jit(partial(settle, recipe), donate_argnums=0),
        jax.jit(in_precision(evaluate)),
    )


def count_parameters(params: Params) -> int:
    """Numbers that training changes."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))
