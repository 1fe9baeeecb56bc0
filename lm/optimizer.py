"""Options -> optax chain: clip by global norm, weight decay, update rule, learning rate.

Numbers that a sweep may vary come in as arrays, so that trials that differ only in them share one
compiled program.
"""

from typing import NamedTuple

import jax.numpy as jnp
import optax
from jax import Array

from lm.config import Config
from lm.dropout import Rates, rates
from lm.options import OptimizerConfig


class Hyperparameters(NamedTuple):
    """What may change between trials, or within one, without compiling again; f32 scalars."""

    learning_rate: Array
    momentum: Array
    clip_norm: Array
    """Infinity: the gradient is not clipped."""
    dropout: Rates
    weight_decay: Array
    activation_penalty: Array
    slowness_penalty: Array


def hyperparameters(config: Config, epoch: int) -> Hyperparameters:
    """Those of one epoch, counted from 0."""
    clip_norm = config.train.clip_norm
    return Hyperparameters(
        learning_rate=jnp.float32(learning_rate(config.optimizer, epoch)),
        momentum=jnp.float32(config.optimizer.momentum or 0.0),
        clip_norm=jnp.float32(jnp.inf if clip_norm is None else clip_norm),
        dropout=rates(config.model),
        weight_decay=jnp.float32(config.optimizer.weight_decay),
        activation_penalty=jnp.float32(config.loss.activation_penalty),
        slowness_penalty=jnp.float32(config.loss.slowness_penalty),
    )


def no_values() -> Hyperparameters:
    """Zeros, where only the shape of things counts."""
    numbers = {name: jnp.float32(0) for name in Hyperparameters._fields}
    return Hyperparameters(**{**numbers, "dropout": Rates()})


def learning_rate(config: OptimizerConfig, epoch: int) -> float:
    """The full rate for `hold_epochs` epochs, then times `decay` for each epoch after them."""
    if config.hold_epochs is None:
        return config.learning_rate
    return float(config.learning_rate * config.decay ** max(epoch + 1 - config.hold_epochs, 0))


def build_optimizer(
    config: OptimizerConfig, values: Hyperparameters
) -> optax.GradientTransformation:
    """The chain for one step; its state does not depend on `values`.

    As in PyTorch, weight decay is part of the gradient that the rule sees, and is not clipped.
    """
    decays = config.weight_decay > 0
    return optax.chain(
        optax.clip_by_global_norm(values.clip_norm),
        *([optax.add_decayed_weights(values.weight_decay)] if decays else []),
        _rule(config, values.momentum),
        optax.scale_by_learning_rate(values.learning_rate),
    )


class Idle(NamedTuple):
    """What updates without a gradient do to a row: factors, the shape of their number."""

    distance: Array
    """The row moves by so many velocities, against them."""
    velocity: Array
    square: Array
    """Of rmsprop's mean square."""


def idle(config: OptimizerConfig, values: Hyperparameters, updates: Array) -> Idle:
    """The effect of `updates` updates (i32) in which a row's gradient is zero.

    With momentum m and learning rate r each multiplies the velocity by m and then takes r times it
    from the row: r (m + m^2 + ... + m^k) = r m (1 - m^k) / (1 - m) after k of them. It holds for
    momentum and rmsprop, whose step is zero where the gradient is; not for adam.
    """
    count = updates.astype(jnp.float32)
    kept = values.momentum**count
    distance = values.learning_rate * values.momentum * (1 - kept) / (1 - values.momentum)
    square = jnp.float32(1.0 if config.smoothing is None else config.smoothing) ** count
    return Idle(distance, kept, square)


def _rule(config: OptimizerConfig, momentum: Array) -> optax.GradientTransformation:
    if config.kind == "momentum":
        return optax.trace(momentum)
    assert config.epsilon is not None
    if config.kind == "adam":
        assert config.beta1 is not None
        assert config.beta2 is not None
        return optax.scale_by_adam(config.beta1, config.beta2, config.epsilon)
    assert config.smoothing is not None
    return optax.chain(
        optax.scale_by_rms(config.smoothing, config.epsilon, eps_in_sqrt=False),  # as PyTorch
        optax.trace(momentum),
    )
