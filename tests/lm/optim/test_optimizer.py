"""Update rules against PyTorch's, clipping and the learning rate over epochs."""

from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lm.config import AdamConfig, MomentumConfig, OptimizerConfig, RMSPropConfig, momentum_of
from lm.optim.optimizer import Hyperparameters, build_optimizer, zero_hyperparameters
from lm.optim.schedule import learning_rate, plateau_steps

COMMON: dict[str, Any] = {
    "learning_rate": 0.1,
    "schedule": "hold",
    "hold_epochs": None,
    "decay": 1.0,
    "plateau_patience": 1,
    "weight_decay": 0.0,
    "average_patience": None,
}
MOMENTUM = MomentumConfig(kind="momentum", momentum=0.9, **COMMON)
ADAM = AdamConfig(kind="adam", beta1=0.8, beta2=0.99, epsilon=1e-6, **COMMON)
RMSPROP = RMSPropConfig(kind="rmsprop", smoothing=0.9, epsilon=1e-6, momentum=0.5, **COMMON)


DECAY = 0.3


def values(clip_norm: float = np.inf, momentum: float = 0.9) -> Hyperparameters:
    numbers = {"learning_rate": 0.1, "momentum": momentum, "clip_norm": clip_norm}
    numbers["weight_decay"] = DECAY
    return zero_hyperparameters()._replace(**{name: jnp.float32(x) for name, x in numbers.items()})


def descend(config: OptimizerConfig, steps: int, momentum: float) -> np.ndarray:
    """Minimise sum(a * x^4) from a fixed start."""
    scale = jnp.array([1.0, 3.0, 0.2])
    x = jnp.array([1.0, -0.5, 2.0])
    rule = build_optimizer(config, values(momentum=momentum))
    state = rule.init(x)
    for _ in range(steps):
        updates, state = rule.update(jax.grad(lambda x: (scale * x**4).sum())(x), state, x)
        x = optax.apply_updates(x, updates)
    return np.asarray(x)


@pytest.mark.parametrize("decay", [0.0, DECAY])
@pytest.mark.parametrize("config", [MOMENTUM, ADAM, RMSPROP], ids=lambda c: c.kind)
def test_update_rules_equal_pytorch(config: OptimizerConfig, decay: float) -> None:
    torch = pytest.importorskip("torch", reason="the bench extra brings PyTorch")
    x = torch.tensor([1.0, -0.5, 2.0], requires_grad=True)
    rule = {
        "momentum": partial(torch.optim.SGD, momentum=0.9),
        "adam": partial(torch.optim.Adam, betas=(0.8, 0.99), eps=1e-6),
        "rmsprop": partial(torch.optim.RMSprop, alpha=0.9, eps=1e-6, momentum=0.5),
    }[config.kind]([x], lr=0.1, weight_decay=decay)
    for _ in range(5):
        rule.zero_grad()
        (torch.tensor([1.0, 3.0, 0.2]) * x**4).sum().backward()
        rule.step()
    config = replace(config, weight_decay=decay)
    ours = descend(config, steps=5, momentum=momentum_of(config))
    np.testing.assert_allclose(ours, x.detach().numpy(), rtol=1e-5)


def test_clipping_scales_the_whole_gradient_to_its_level() -> None:
    grads = {"a": jnp.array([3.0]), "b": jnp.array([4.0])}
    rule = build_optimizer(MOMENTUM, values(clip_norm=1.0))
    updates, _ = rule.update(grads, rule.init(grads))
    np.testing.assert_allclose(updates["a"], [-0.06], rtol=1e-6)
    np.testing.assert_allclose(updates["b"], [-0.08], rtol=1e-6)
    rule = build_optimizer(MOMENTUM, values(clip_norm=np.inf))
    updates, _ = rule.update(grads, rule.init(grads))
    np.testing.assert_allclose(updates["a"], [-0.3], rtol=1e-6)
    # As torch.nn.utils.clip_grad_norm_ before a step: weight decay comes after clipping.
    rule = build_optimizer(replace(MOMENTUM, weight_decay=DECAY), values(clip_norm=1.0))
    updates, _ = rule.update(grads, rule.init(grads), grads)
    np.testing.assert_allclose(updates["a"], [-0.06 - 0.1 * DECAY * 3], rtol=1e-6)


def test_learning_rate_is_held_then_decays_each_epoch() -> None:
    config = replace(MOMENTUM, learning_rate=1.0, hold_epochs=4, decay=0.5)
    rates = [learning_rate(config, epoch) for epoch in range(13)]
    # The TensorFlow tutorial's small model: "Epoch: 13 Learning rate: 0.002".
    assert rates[:6] == [1.0, 1.0, 1.0, 1.0, 0.5, 0.25]
    assert rates[12] == pytest.approx(0.002, abs=5e-5)
    assert learning_rate(MOMENTUM, 100) == 0.1


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("patience", [1, 2, 3])
def test_plateaus_are_those_of_pytorch(mode: str, patience: int) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the reference")
    values = np.random.default_rng(patience).normal(size=60).cumsum().round(1)
    values[20] = np.nan
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    # PyTorch counts evaluations that are allowed, so its patience is one less.
    reference = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, mode, factor=0.5, patience=patience - 1, threshold=0, eps=0
    )
    config = replace(MOMENTUM, learning_rate=1.0, schedule="plateau", decay=0.5)
    for count, value in enumerate(values, start=1):
        reference.step(value)
        steps = plateau_steps(enumerate(values[:count]), mode, patience)
        rate = learning_rate(config, epoch=count, plateaus=len(steps))
        assert rate == optimizer.param_groups[0]["lr"]
