"""Options -> optax chain: clip by global norm, weight decay, update rule, learning rate.

Numbers that a sweep may vary come in as arrays, so that trials that differ only in them share one
compiled program.
"""

from typing import NamedTuple

import jax.numpy as jnp
import optax
from jax import Array

from lm.config import (
    AdamConfig,
    Config,
    MomentumConfig,
    OptimizerConfig,
    RMSPropConfig,
    momentum_of,
)
from lm.model.dropout import DropoutRates, dropout_rates
from lm.optim.schedule import learning_rate


class Hyperparameters(NamedTuple):
    """Numbers that may change between trials or within one without compiling again; f32 scalars."""

    learning_rate: Array
    momentum: Array
    clip_norm: Array
    """Infinity: the gradient is not clipped."""
    dropout: DropoutRates
    weight_decay: Array
    activation_penalty: Array
    slowness_penalty: Array


def hyperparameters(config: Config, epoch: int, plateaus: int = 0) -> Hyperparameters:
    """Hyperparameters of one epoch, counted from 0; `plateaus` as in `learning_rate`."""
    clip_norm = config.train.clip_norm
    return Hyperparameters(
        learning_rate=jnp.float32(learning_rate(config.optimizer, epoch, plateaus)),
        momentum=jnp.float32(momentum_of(config.optimizer)),
        clip_norm=jnp.float32(jnp.inf if clip_norm is None else clip_norm),
        dropout=dropout_rates(config.model),
        weight_decay=jnp.float32(config.optimizer.weight_decay),
        activation_penalty=jnp.float32(config.loss.activation_penalty),
        slowness_penalty=jnp.float32(config.loss.slowness_penalty),
    )


def zero_hyperparameters() -> Hyperparameters:
    """Zeros, where only the shape of things counts."""
    numbers = {name: jnp.float32(0) for name in Hyperparameters._fields}
    return Hyperparameters(**{**numbers, "dropout": DropoutRates()})


def build_optimizer(
    config: OptimizerConfig, hyperparams: Hyperparameters
) -> optax.GradientTransformation:
    """The chain for one step; its state does not depend on `hyperparams`.

    As in PyTorch, weight decay is part of the gradient that the rule sees, and is not clipped.
    """
    decays = config.weight_decay > 0
    return optax.chain(
        optax.clip_by_global_norm(hyperparams.clip_norm),
        *([optax.add_decayed_weights(hyperparams.weight_decay)] if decays else []),
        _update_rule(config, hyperparams.momentum),
        optax.scale_by_learning_rate(hyperparams.learning_rate),
    )


def _update_rule(config: OptimizerConfig, momentum: Array) -> optax.GradientTransformation:
    if isinstance(config, MomentumConfig):
        return optax.trace(momentum)
    if isinstance(config, AdamConfig):
        return optax.scale_by_adam(config.beta1, config.beta2, config.epsilon)
    assert isinstance(config, RMSPropConfig)
    return optax.chain(
        optax.scale_by_rms(config.smoothing, config.epsilon, eps_in_sqrt=False),  # as PyTorch
        optax.trace(momentum),
    )
