"""Update rules against PyTorch's, clipping and the learning rate over epochs."""

from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lm.config import (
    AdamConfig,
    AdamWConfig,
    LionConfig,
    MomentumConfig,
    MuonConfig,
    OptimizerConfig,
    RMSPropConfig,
    momentum_of,
)
from lm.optim.optimizer import Hyperparameters, build_optimizer, zero_hyperparameters
from lm.optim.schedule import learning_rate, plateau_steps, rate_course, rate_factor

COMMON: dict[str, Any] = {
    "learning_rate": 0.1,
    "schedule": "hold",
    "hold_epochs": None,
    "decay": 1.0,
    "plateau_patience": 1,
    "warmup_steps": 0,
    "end_factor": 0.0,
    "decay_fraction": 0.1,
    "weight_decay": 0.0,
    "average_patience": None,
}
MOMENTUM = MomentumConfig(kind="momentum", momentum=0.9, **COMMON)
ADAM = AdamConfig(kind="adam", beta1=0.8, beta2=0.99, epsilon=1e-6, **COMMON)
ADAMW = AdamWConfig(kind="adamw", beta1=0.8, beta2=0.99, epsilon=1e-6, **COMMON)
LION = LionConfig(kind="lion", beta1=0.8, beta2=0.95, **COMMON)
MUON = MuonConfig(
    kind="muon", momentum=0.9, iterations=5, beta1=0.8, beta2=0.99, epsilon=1e-6, **COMMON
)
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
@pytest.mark.parametrize("config", [MOMENTUM, ADAM, ADAMW, RMSPROP], ids=lambda c: c.kind)
def test_update_rules_equal_pytorch(config: OptimizerConfig, decay: float) -> None:
    torch = pytest.importorskip("torch", reason="the bench extra brings PyTorch")
    x = torch.tensor([1.0, -0.5, 2.0], requires_grad=True)
    rule = {
        "momentum": partial(torch.optim.SGD, momentum=0.9),
        "adam": partial(torch.optim.Adam, betas=(0.8, 0.99), eps=1e-6),
        "adamw": partial(torch.optim.AdamW, betas=(0.8, 0.99), eps=1e-6),
        "rmsprop": partial(torch.optim.RMSprop, alpha=0.9, eps=1e-6, momentum=0.5),
    }[config.kind]([x], lr=0.1, weight_decay=decay)
    for _ in range(5):
        rule.zero_grad()
        (torch.tensor([1.0, 3.0, 0.2]) * x**4).sum().backward()
        rule.step()
    config = replace(config, weight_decay=decay)
    ours = descend(config, steps=5, momentum=momentum_of(config))
    np.testing.assert_allclose(ours, x.detach().numpy(), rtol=1e-5)


@pytest.mark.parametrize("decay", [0.0, DECAY])
def test_lion_is_algorithm_2_of_its_paper(decay: float) -> None:
    scale, x = np.array([1.0, 3.0, 0.2]), np.array([1.0, -0.5, 2.0])
    mean = np.zeros(3)
    for _ in range(4):
        gradient = 4 * scale * x**3
        x = x - 0.1 * (np.sign(0.8 * mean + 0.2 * gradient) + decay * x)
        mean = 0.95 * mean + 0.05 * gradient
    ours = descend(replace(LION, weight_decay=decay), steps=4, momentum=0.0)
    np.testing.assert_allclose(ours, x, rtol=1e-5)


def orthogonal(matrix: np.ndarray) -> np.ndarray:
    """Five iterations of Newton and Schulz in float64, as Jordan et al. 2024 write them."""
    x = matrix / np.linalg.norm(matrix)
    for _ in range(5):
        square = x @ x.T
        x = 3.4445 * x + (-4.775 * square + 2.0315 * square @ square) @ x
    return x


def matrices() -> dict[str, Any]:
    draw = np.random.default_rng(0).normal
    shapes = {"embedding": (7, 4), "output": (7, 4), "layers": (4, 12)}
    return {name: {"weight": jnp.float32(draw(size=shape))} for name, shape in shapes.items()}


def muon(params: dict[str, Any], decay: float = 0.0) -> tuple[list[Any], list[Any]]:
    """Two gradients, and the updates that they give."""
    config = replace(MUON, weight_decay=decay)
    rule = build_optimizer(config, values(momentum=0.9))
    state, gradients, found = rule.init(params), [], []
    for factor in (1.0, -0.3):
        gradients.append(jax.tree.map(lambda x, factor=factor: factor * x + 0.1, params))
        updates, state = rule.update(gradients[-1], state, params)
        found.append(updates)
        params = optax.apply_updates(params, updates)
    return gradients, found


def test_muon_makes_the_mean_gradient_of_a_matrix_orthogonal() -> None:
    gradients, updates = muon(matrices())
    one, two = (np.float64(gradient["layers"]["weight"]) for gradient in gradients)
    # The first of the means, like Adam's, begins at zero and is corrected for it (optax).
    mean = 0.9 * (0.1 * one) + 0.1 * two
    looked_ahead = 0.9 * mean / (1 - 0.9**3) + 0.1 * two / (1 - 0.9**2)
    expected = -0.1 * 0.2 * np.sqrt(12) * orthogonal(looked_ahead)
    np.testing.assert_allclose(updates[1]["layers"]["weight"], expected, rtol=2e-4, atol=1e-6)
    rms = np.sqrt(np.mean(np.square(updates[1]["layers"]["weight"]))) / 0.1
    assert rms == pytest.approx(0.2, rel=0.2)  # that of Adam, as one learning rate is for both


def test_muon_leaves_tables_and_vectors_to_adam_and_decays_all_alike() -> None:
    params = matrices() | {"hidden": {"bias": jnp.array([1.0, -2.0])}}
    gradients, updates = muon(params)
    adam = build_optimizer(replace(ADAM), values())
    state, now = adam.init(params), params
    for gradient, of_muon in zip(gradients, updates, strict=True):
        expected, state = adam.update(gradient, state, now)
        for name in ("embedding", "output", "hidden"):
            for ours, theirs in zip(
                jax.tree.leaves(of_muon[name]), jax.tree.leaves(expected[name]), strict=True
            ):
                np.testing.assert_allclose(ours, theirs, rtol=1e-6)
        now = optax.apply_updates(now, of_muon)
    _, decayed = muon(params, decay=DECAY)
    assert jax.tree.structure(decayed[0]) == jax.tree.structure(params)
    difference = jax.tree.map(lambda a, b: a - b, decayed[0], updates[0])
    for shift, weight in zip(jax.tree.leaves(difference), jax.tree.leaves(params), strict=True):
        np.testing.assert_allclose(shift, -0.1 * DECAY * weight, rtol=1e-3, atol=1e-6)


def test_muon_is_pytorchs_but_for_its_momentum() -> None:
    torch = pytest.importorskip("torch", reason="the bench extra brings PyTorch")
    gradient = np.random.default_rng(1).normal(size=(6, 9)).astype(np.float32)
    weight = torch.nn.Parameter(torch.zeros(6, 9))
    weight.grad = torch.tensor(gradient)
    rule = torch.optim.Muon(
        [weight], lr=0.1, weight_decay=0, momentum=0, adjust_lr_fn="match_rms_adamw"
    )
    rule.step()
    ours = build_optimizer(MUON, values(momentum=0.0))
    tree = {"layers": jnp.asarray(gradient)}
    updates, _ = ours.update(tree, ours.init(tree), tree)
    # PyTorch multiplies in bfloat16.
    np.testing.assert_allclose(updates["layers"], weight.detach().numpy(), atol=6e-3)
    assert np.abs(updates["layers"]).max() > 0.02


def rates(config: OptimizerConfig, total_steps: int) -> list[float]:
    course = rate_course(config, total_steps)
    assert course is not None
    factors = jax.vmap(partial(rate_factor, course))(jnp.arange(total_steps))
    return [config.learning_rate * float(factor) for factor in factors]


@pytest.mark.parametrize("warmup", [0, 7])
def test_rates_after_the_warmup_are_those_of_optax(warmup: int) -> None:
    with_end = replace(MOMENTUM, warmup_steps=warmup, end_factor=0.2, decay_fraction=0.25)
    left = 60 - warmup
    theirs = {
        "linear": optax.linear_schedule(0.1, 0.02, left, warmup),
        "cosine": lambda n: optax.cosine_decay_schedule(0.1, left, 0.2)(n - warmup),
        "wsd": optax.linear_schedule(0.1, 0.02, 15, 45),
        "hold": optax.constant_schedule(0.1),
    }
    for schedule, reference in theirs.items():
        if schedule == "hold" and not warmup:
            assert rate_course(replace(with_end, schedule=schedule), 60) is None
            continue
        found = rates(replace(with_end, schedule=schedule), 60)
        expected = [float(reference(n)) for n in range(warmup, 60)]
        assert found[warmup:] == pytest.approx(expected, rel=1e-5), schedule
        rising = [float(optax.linear_schedule(0.0, 0.1, warmup)(n + 1)) for n in range(warmup)]
        assert found[:warmup] == pytest.approx(rising, rel=1e-5)


def test_first_update_learns_and_so_does_the_last() -> None:
    for schedule in ("linear", "cosine", "wsd"):
        found = rates(replace(MOMENTUM, schedule=schedule, warmup_steps=5), 50)
        assert min(found) > 0
        assert max(found) == pytest.approx(0.1)


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
