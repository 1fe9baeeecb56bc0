"""Products with transposed weights, copied or not, against those of plain JAX."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lm import products
from lm.config import typed
from lm.graph import model_graph
from lm.products import times_transposed, transposed


@pytest.mark.parametrize("copied", [True, False])
def test_product_and_its_gradients_are_those_of_the_transposed_weights(
    monkeypatch: pytest.MonkeyPatch, copied: bool
) -> None:
    monkeypatch.setattr(products, "prefers_eigen", lambda: copied)
    keys = jax.random.split(jax.random.key(0), 3)
    x, weights = jax.random.normal(keys[0], (5, 3)), jax.random.normal(keys[1], (7, 3))
    factors = jax.random.normal(keys[2], (5, 7))
    np.testing.assert_array_equal(jax.jit(transposed)(weights), weights.T)

    def plain(x: jax.Array, weights: jax.Array) -> jax.Array:
        return (factors * (x @ weights.T)).sum()

    def ours(x: jax.Array, weights: jax.Array) -> jax.Array:
        return (factors * times_transposed(x, weights)).sum()

    np.testing.assert_allclose(ours(x, weights), plain(x, weights), rtol=1e-5)
    for a, b in zip(
        jax.grad(ours, argnums=(0, 1))(x, weights),
        jax.grad(plain, argnums=(0, 1))(x, weights),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_copies_are_made_for_eigen_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def compiled(eigen: bool) -> str:
        monkeypatch.setattr(products, "prefers_eigen", lambda: eigen)
        product = jax.jit(lambda x, weights: times_transposed(x, weights))
        return product.lower(jnp.ones((5, 3)), jnp.ones((7, 3))).compile().as_text()

    assert "rhs_contracting_dims={0}" in compiled(eigen=True)
    assert "rhs_contracting_dims={1}" in compiled(eigen=False)


def test_the_models_graph_shows_no_copies(
    tiny: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = typed(tiny("model.layers=2")).model

    def graph(eigen: bool) -> bytes:
        monkeypatch.setattr(products, "prefers_eigen", lambda: eigen)
        return model_graph(model, 11, 3, 7)

    assert graph(eigen=True) == graph(eigen=False)
