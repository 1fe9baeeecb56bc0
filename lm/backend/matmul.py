"""Matrix products, as the library that computes them is fast at.

Eigen, where it computes training's products (`lm.backend.devices.prefers_eigen`), takes longer
over a factor that is but viewed as transposed; copies are made where that was measured to take less
time. T time steps, B streams, N rows of features, D their width, V words."""

import jax
from jax import Array, lax

from lm.backend.devices import prefers_eigen

FEW = 192
"""Features up to which it takes less time to copy all words' weights than to view as transposed the
gradient of all words' logits."""


def transposed(x: Array) -> Array:
    """A matrix transposed; where it pays, as a copy and not as another view of it."""
    return lax.optimization_barrier(x.T) if prefers_eigen() else x.T


@jax.custom_vjp
def times(x_tbd: Array, weights_de: Array) -> Array:
    """x W, [T, B, E]; going back there is something to transpose."""
    return x_tbd @ weights_de


def _times_forward(x_tbd: Array, weights_de: Array) -> tuple[Array, tuple[Array, Array]]:
    return times(x_tbd, weights_de), (x_tbd, weights_de)


def _times_backward(kept: tuple[Array, Array], of_product: Array) -> tuple[Array, Array]:
    x_tbd, weights_de = kept
    x_nd, of_ne = (x.reshape(-1, x.shape[-1]) for x in (x_tbd, of_product))
    return of_product @ weights_de.T, transposed(x_nd) @ of_ne


times.defvjp(_times_forward, _times_backward)


@jax.custom_vjp
def words_first(weights_vd: Array, x_nd: Array) -> Array:
    """W x^T, [V, N]: for it and its gradients, a matrix of all words has to be transposed once;
    with x W^T, twice."""
    return weights_vd @ transposed(x_nd)


def _words_forward(weights_vd: Array, x_nd: Array) -> tuple[Array, tuple[Array, Array]]:
    return words_first(weights_vd, x_nd), (weights_vd, x_nd)


def _words_backward(kept: tuple[Array, Array], of_product: Array) -> tuple[Array, Array]:
    weights_vd, x_nd = kept
    if x_nd.shape[1] <= FEW:
        of_x = lax.optimization_barrier(transposed(weights_vd) @ of_product).T
    else:
        of_x = of_product.T @ weights_vd
    return of_product @ x_nd, of_x


words_first.defvjp(_words_forward, _words_backward)
