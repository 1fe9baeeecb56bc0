"""Products as Eigen is fast at, against those of plain JAX."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lm.backend import matmul
from lm.backend.matmul import logits_vocab_major, transpose
from lm.config import parse_config
from lm.losses.softmax import softmax_loss
from lm.monitor.graph import model_graph

Product = Callable[[jax.Array, jax.Array], jax.Array]

T, B, E = 2, 3, 5
N, V = T * B, 7


def draw(seed: int, *shape: int) -> jax.Array:
    return jax.random.normal(jax.random.key(seed), shape)


def check(ours: Product, plain: Product, *factors: jax.Array) -> None:
    """Compare two products, and their gradients by both factors."""

    def weighted(product: Product) -> Callable[..., jax.Array]:
        return lambda *factors: (draw(9, *plain(*factors).shape) * product(*factors)).sum()

    np.testing.assert_allclose(ours(*factors), plain(*factors), rtol=1e-5, atol=1e-6)
    found, expected = (jax.jit(jax.grad(weighted(f), argnums=(0, 1))) for f in (ours, plain))
    for a, b in zip(found(*factors), expected(*factors), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("eigen", [True, False])
def test_times_is_the_product_with_its_gradients(
    monkeypatch: pytest.MonkeyPatch, eigen: bool
) -> None:
    monkeypatch.setattr(matmul, "prefers_eigen", lambda: eigen)
    np.testing.assert_array_equal(jax.jit(transpose)(draw(0, N, E)), draw(0, N, E).T)
    check(matmul.matmul, lambda x, weights: x @ weights, draw(0, T, B, E), draw(1, E, V))


@pytest.mark.parametrize("few", [True, False])
def test_words_first_is_the_transposed_product_with_its_gradients(
    monkeypatch: pytest.MonkeyPatch, few: bool
) -> None:
    monkeypatch.setattr(matmul, "prefers_eigen", lambda: True)
    monkeypatch.setattr(matmul, "MAX_FEATURES_TO_COPY", E if few else E - 1)
    check(logits_vocab_major, lambda weights, x: weights @ x.T, draw(0, V, E), draw(1, N, E))


def test_full_softmax_is_the_same_by_words() -> None:
    arguments, targets = (draw(0, N, E), draw(1, V, E), draw(2, V)), jnp.arange(N) % V

    def found(by_words: bool) -> tuple[jax.Array, tuple[jax.Array, ...]]:
        def total(*arguments: jax.Array) -> jax.Array:
            return softmax_loss(*arguments, targets, vocab_major=by_words).sum()

        return jax.value_and_grad(total, argnums=(0, 1, 2))(*arguments)

    for a, b in zip(jax.tree.leaves(found(True)), jax.tree.leaves(found(False)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_copies_are_made_for_eigen_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def compiled(eigen: bool) -> str:
        monkeypatch.setattr(matmul, "prefers_eigen", lambda: eigen)
        product = jax.jit(lambda x, weights: x @ transpose(weights))
        return product.lower(jnp.ones((5, 3)), jnp.ones((7, 3))).compile().as_text()

    assert "rhs_contracting_dims={0}" in compiled(eigen=True)
    assert "rhs_contracting_dims={1}" in compiled(eigen=False)


def test_the_models_graph_shows_no_copies(
    tiny: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = parse_config(tiny("model.layers=2")).model

    def graph(eigen: bool) -> bytes:
        monkeypatch.setattr(matmul, "prefers_eigen", lambda: eigen)
        return model_graph(model, 11, 3, 7)

    assert graph(eigen=True) == graph(eigen=False)
