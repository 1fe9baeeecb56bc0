"""Matrix products in the layout that Eigen is fast at.

Each function here is a plain `@` whose backward pass is written by hand. Where Eigen computes the
products (`lm.backend.devices.prefers_eigen`), it takes longer over a factor that is a transposed
view than over a transposed copy. So copies are made where that was measured to be faster.

T time steps, B streams, N rows of features, D their width, V vocabulary.
"""

import jax
from jax import Array, lax

from lm.backend.devices import prefers_eigen

MAX_FEATURES_TO_COPY = 192
"""Width of the features up to which copying W^T takes less time than a transposed view of the
gradient of the logits."""


def transpose(x: Array) -> Array:
    """Transpose a matrix: as a copy where Eigen multiplies it, else as XLA likes."""
    return lax.optimization_barrier(x.T) if prefers_eigen() else x.T


@jax.custom_vjp
def matmul(x_tbd: Array, weights_de: Array) -> Array:
    """x W, [T, B, E]; its backward pass transposes x as `transpose` does."""
    return x_tbd @ weights_de


def _matmul_forward(x_tbd: Array, weights_de: Array) -> tuple[Array, tuple[Array, Array]]:
    return matmul(x_tbd, weights_de), (x_tbd, weights_de)


def _matmul_backward(residuals: tuple[Array, Array], dy: Array) -> tuple[Array, Array]:
    x_tbd, weights_de = residuals
    x_nd, dy_ne = (x.reshape(-1, x.shape[-1]) for x in (x_tbd, dy))
    return dy @ weights_de.T, transpose(x_nd) @ dy_ne


matmul.defvjp(_matmul_forward, _matmul_backward)


@jax.custom_vjp
def logits_vocab_major(weights_vd: Array, x_nd: Array) -> Array:
    """W x^T, [V, N]: logits without bias, one row for each word.

    The product and its gradients transpose a matrix of V rows once; x W^T would do so twice.
    """
    return weights_vd @ transpose(x_nd)


def _vocab_major_forward(weights_vd: Array, x_nd: Array) -> tuple[Array, tuple[Array, Array]]:
    return logits_vocab_major(weights_vd, x_nd), (weights_vd, x_nd)


def _vocab_major_backward(residuals: tuple[Array, Array], dy: Array) -> tuple[Array, Array]:
    weights_vd, x_nd = residuals
    if x_nd.shape[1] <= MAX_FEATURES_TO_COPY:
        dx = lax.optimization_barrier(transpose(weights_vd) @ dy).T
    else:
        dx = dy.T @ weights_vd
    return dy @ x_nd, dx


logits_vocab_major.defvjp(_vocab_major_forward, _vocab_major_backward)
