"""Products with transposed weights, as the library that computes them is fast at.

Eigen, where it computes training's products (`lm.devices.prefers_eigen`), is slow at few rows times
weights that are but viewed as transposed; with a copy of them it is fast.
"""

import jax
from jax import Array, lax

from lm.devices import prefers_eigen


def transposed(weights: Array) -> Array:
    """The transposed weights; where it pays, as a copy and not as another view of them."""
    return lax.optimization_barrier(weights.T) if prefers_eigen() else weights.T


@jax.custom_vjp
def times_transposed(x_nd: Array, weights_vd: Array) -> Array:
    """x W^T, [N, V]; only going forward there is something to transpose."""
    return x_nd @ transposed(weights_vd)


def _forward(x_nd: Array, weights_vd: Array) -> tuple[Array, tuple[Array, Array]]:
    return times_transposed(x_nd, weights_vd), (x_nd, weights_vd)


def _backward(kept: tuple[Array, Array], of_product: Array) -> tuple[Array, Array]:
    x_nd, weights_vd = kept
    return of_product @ weights_vd, of_product.T @ x_nd


times_transposed.defvjp(_forward, _backward)
