"""Options -> optax chain: clip by global norm, weight decay, update rule, learning rate.

Numbers that a sweep may vary come in as arrays, so that trials that differ only in them share one
compiled program.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
import optax.contrib
from jax import Array

from lm.config import (
    AdamConfig,
    AdamWConfig,
    Config,
    LionConfig,
    MomentumConfig,
    MuonConfig,
    OptimizerConfig,
    RMSPropConfig,
    momentum_of,
)
from lm.model.dropout import DropoutRates, dropout_rates
from lm.model.types import TABLES, Params
from lm.optim.schedule import RateCourse, learning_rate, rate_course, rate_factor

DECOUPLED = (AdamWConfig, LionConfig, MuonConfig)
"""Rules whose weight decay is no part of the gradient that they see (Loshchilov & Hutter 2019)."""

MUON_RMS = 0.2
"""Root mean square of an orthogonal update of Muon, about that of Adam's (Liu et al. 2025, 2.2)."""


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
    rate_course: RateCourse | None = None
    """None: the learning rate is one number until the hyperparameters change."""

    def at_update(self, step: Array) -> "Hyperparameters":
        """Those of one update, whose learning rate is a number; `step` is i32[], from 0."""
        if self.rate_course is None:
            return self
        rate = self.learning_rate * rate_factor(self.rate_course, step)
        return self._replace(learning_rate=rate, rate_course=None)


def hyperparameters(
    config: Config, epoch: int, plateaus: int = 0, total_steps: int = 0
) -> Hyperparameters:
    """Hyperparameters of one epoch.

    Args:
      config: of the trial.
      epoch, plateaus: as in `learning_rate`.
      total_steps: updates of the whole training, over which a learning rate may fall.
    """
    clip_norm = config.train.clip_norm
    return Hyperparameters(
        learning_rate=jnp.float32(learning_rate(config.optimizer, epoch, plateaus)),
        momentum=jnp.float32(momentum_of(config.optimizer)),
        clip_norm=jnp.float32(jnp.inf if clip_norm is None else clip_norm),
        dropout=dropout_rates(config.model),
        weight_decay=jnp.float32(config.optimizer.weight_decay),
        activation_penalty=jnp.float32(config.loss.activation_penalty),
        slowness_penalty=jnp.float32(config.loss.slowness_penalty),
        rate_course=rate_course(config.optimizer, total_steps),
    )


def zero_hyperparameters() -> Hyperparameters:
    """Zeros, where only the shape of things counts."""
    names = [name for name in Hyperparameters._fields if name != "rate_course"]
    numbers = {name: jnp.float32(0) for name in names}
    return Hyperparameters(**{**numbers, "dropout": DropoutRates()})


def build_optimizer(
    config: OptimizerConfig, hyperparams: Hyperparameters
) -> optax.GradientTransformation:
    """The chain for one step; its state does not depend on `hyperparams`.

    As in PyTorch, weight decay is part of the gradient that the rule sees, and is not clipped; or,
    with the rules in `DECOUPLED`, it is no part of that gradient.
    """
    decays = config.weight_decay > 0
    decay = [optax.add_decayed_weights(hyperparams.weight_decay)] if decays else []
    decoupled = isinstance(config, DECOUPLED)
    return optax.chain(
        optax.clip_by_global_norm(hyperparams.clip_norm),
        *([] if decoupled else decay),
        _update_rule(config, hyperparams.momentum),
        *(decay if decoupled else []),
        optax.scale_by_learning_rate(hyperparams.learning_rate),
    )


def _update_rule(config: OptimizerConfig, momentum: Array) -> optax.GradientTransformation:
    if isinstance(config, MomentumConfig):
        return optax.trace(momentum)
    if isinstance(config, LionConfig):
        return optax.scale_by_lion(config.beta1, config.beta2)
    if isinstance(config, MuonConfig):
        return _muon(config, momentum)
    if isinstance(config, AdamConfig):
        return optax.scale_by_adam(config.beta1, config.beta2, config.epsilon)
    assert isinstance(config, RMSPropConfig)
    return optax.chain(
        optax.scale_by_rms(config.smoothing, config.epsilon, eps_in_sqrt=False),  # as PyTorch
        optax.trace(momentum),
    )


def _muon(config: MuonConfig, momentum: Array) -> optax.GradientTransformation:
    """Muon for matrices between layers, Adam for tables and vectors, as the authors advise."""
    plain = optax.contrib.MuonDimensionNumbers()
    matrices = optax.chain(
        optax.contrib.scale_by_muon(
            ns_steps=config.iterations,
            beta=momentum,
            weight_dimension_numbers=lambda updates: jax.tree.map(lambda _: plain, updates),
        ),
        optax.stateless(lambda updates, _: jax.tree.map(_with_rms, updates)),
    )
    rest = optax.scale_by_adam(config.beta1, config.beta2, config.epsilon)
    return optax.partition({"muon": matrices, "adam": rest}, _muon_labels)


def _muon_labels(params: Params) -> Params:
    def label(table: bool, weight: Array) -> str:
        return "muon" if weight.ndim == 2 and not table else "adam"

    return {
        name: jax.tree.map(partial(label, name in TABLES), part) for name, part in params.items()
    }


def _with_rms(orthogonal: Array) -> Array:
    """Give an orthogonal matrix [m, n] `MUON_RMS`: its entries' is 1 / sqrt(max(m, n))."""
    scaled: Array = orthogonal * (MUON_RMS * max(orthogonal.shape) ** 0.5)
    return scaled
