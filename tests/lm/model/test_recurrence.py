"""The recurrences' own backward pass against autodiff and finite differences."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax import Array, lax
from jax.test_util import check_grads

from lm.model.cells import CELLS, RecurrentWeights
from lm.model.recurrence import LayerWeights, recur
from lm.model.types import Carry

TIME, BATCH, INPUTS, UNITS = 5, 3, 4, 6
TOLERANCE = {jnp.float32: 2e-6, jnp.float64: 1e-14}

Run = Callable[[LayerWeights, Carry, Array], tuple[Carry, Array]]


def example(kind: str, dtype: Any) -> tuple[LayerWeights, Carry, Array]:
    keys = iter(jax.random.split(jax.random.key(0), 8))

    def normal(*shape: int) -> Array:
        return jax.random.normal(next(keys), shape, dtype)

    width = CELLS[kind].gates * UNITS
    bias = normal(UNITS) if kind == "gru" else None
    recurrent = RecurrentWeights(0.5 * normal(UNITS, width), bias)
    weights = LayerWeights(normal(INPUTS, width), normal(width), recurrent)
    carry = tuple(normal(BATCH, UNITS) for _ in range(CELLS[kind].states))
    return weights, carry, normal(TIME, BATCH, INPUTS)


def plain(kind: str, weights: LayerWeights, carry: Carry, x_tbe: Array) -> tuple[Carry, Array]:
    """The cell in a scan, for autodiff."""
    cell = CELLS[kind]

    def body(carry: Carry, x_be: Array) -> tuple[Carry, Array]:
        x_bz = x_be @ weights.kernel + weights.bias[None, :]
        u_bz = carry[0] @ weights.recurrent.kernel
        carry, _ = cell.step(weights.recurrent, carry, x_bz, u_bz)
        return carry, carry[0]

    return lax.scan(body, carry, x_tbe)


def loss(run: Run, weights: LayerWeights, carry: Carry, x_tbe: Array) -> Array:
    """A number in which every output and the last state count, each differently."""
    end, h_tbh = run(weights, carry, x_tbe)
    position = jnp.arange(h_tbh.size, dtype=h_tbh.dtype).reshape(h_tbh.shape)
    return (h_tbh * jnp.cos(position)).sum() + sum((state**3).sum() for state in end)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("kind", CELLS)
def test_backward_pass_equals_autodiff(kind: str, dtype: Any) -> None:
    with jax.enable_x64(dtype is jnp.float64):
        inputs = example(kind, dtype)
        own, other = (
            jax.jit(jax.value_and_grad(partial(loss, run), argnums=(0, 1, 2)))(*inputs)
            for run in (partial(recur, CELLS[kind]), partial(plain, kind))
        )
        for mine, theirs in zip(jax.tree.leaves(own), jax.tree.leaves(other), strict=True):
            assert mine.dtype == dtype
            assert jnp.abs(mine - theirs).max() <= TOLERANCE[dtype] * jnp.abs(theirs).max()


@pytest.mark.parametrize("kind", CELLS)
def test_backward_pass_equals_finite_differences(kind: str) -> None:
    with jax.enable_x64(True):
        run = partial(loss, partial(recur, CELLS[kind]))
        inputs = example(kind, jnp.float64)
        check_grads(run, inputs, order=1, modes=["rev"], rtol=1e-6, atol=1e-6, eps=1e-5)


@pytest.mark.parametrize("kind", CELLS)
def test_whole_sequence_equals_two_halves_with_the_carry_between(kind: str) -> None:
    weights, carry, x_tbe = example(kind, jnp.float32)
    run = jax.jit(partial(recur, CELLS[kind]))
    end, h_tbh = run(weights, carry, x_tbe)
    middle, first = run(weights, carry, x_tbe[:2])
    last, second = run(weights, middle, x_tbe[2:])
    whole = jax.tree.leaves((end, h_tbh))
    halves = jax.tree.leaves((last, jnp.concatenate([first, second])))
    for one, other in zip(whole, halves, strict=True):
        assert jnp.abs(one - other).max() <= TOLERANCE[jnp.float32]


@pytest.mark.parametrize("kind", CELLS)
def test_gradients_of_stacked_trials_equal_those_one_by_one(kind: str) -> None:
    one = example(kind, jnp.float32)
    other = jax.tree.map(lambda array: 0.5 * array, one)
    gradients = jax.grad(partial(loss, partial(recur, CELLS[kind])), argnums=(0, 1, 2))
    stacked = jax.jit(jax.vmap(gradients))(
        *jax.tree.map(lambda *lanes: jnp.stack(lanes), one, other)
    )
    for lane, inputs in enumerate((one, other)):
        for mine, theirs in zip(
            jax.tree.leaves(stacked), jax.tree.leaves(gradients(*inputs)), strict=True
        ):
            scale = jnp.abs(theirs).max()
            assert jnp.abs(mine[lane] - theirs).max() <= TOLERANCE[jnp.float32] * scale
