"""What is measured of itemised gradients; definitions in `lm.gradient_flow`.

Shapes as in `lm.gradient_flow.backward`. Every contribution to weights has rank one, so that its
measures are products of those of two vectors, and no matrix is ever formed.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from lm.gradient_flow.backward import Layer, Parts, go_back
from lm.model.cells import CELLS


def components(cell: str, layers: int) -> list[str]:
    """Names of what is measured, as a page has them in its choices: all of a layer first."""
    states = ("both", "h", "c") if CELLS[cell].states > 1 else ("h",)
    return [
        f"layer_{number}/{part}"
        for number in range(1, layers + 1)
        for part in (*states, *(["down"] if number > 1 else []))
    ]


class Measured(NamedTuple):
    """A component of a batch; [T, K, S], by the step j and the distance k = t - j of the loss."""

    norm: Array
    mean_abs: Array
    input_norm: Array | None
    units: Array | None
    """[T, K, S, H]."""


class _Seen(NamedTuple):
    """Of one component at one step, before its factors of the forward pass."""

    norm: Array
    """[K, S]"""
    mean_abs: Array
    input_norm: Array | None
    units: Array | None
    within: Array | None
    """Sum of the rows that are told apart, [S, G*H]; None without a horizon, or of no weights."""
    beyond: Array | None


def measure(
    layers: Sequence[Layer], reach: int, units: bool
) -> tuple[dict[str, Measured], dict[str, Array]]:
    """Measure all components of a batch.

    Args:
      layers: as `go_back` takes them.
      reach: steps back that are told apart.
      units: whether each unit's part is measured, too.

    Returns:
      By component: the measures; and the share of the gradient's norm beyond the horizon, f32[],
      over all sequences, where there is one.
    """
    limited = reach < len(layers[-1].scale_tsh)

    def see(parts: list[Parts]) -> list[dict[str, _Seen]]:
        return [
            _see(part, reach, layer.cell.gates if units else None, limited, down=index > 0)
            for index, (layer, part) in enumerate(zip(layers, parts, strict=True))
        ]

    measured, shares = {}, {}
    for number, (layer, found) in enumerate(
        zip(layers, go_back(layers, reach, see), strict=True), start=1
    ):
        for state, seen in found.items():
            name = f"layer_{number}/{state}"
            measured[name] = _with_factors(seen, layer)
            if seen.within is not None and seen.beyond is not None:
                shares[name] = _share_beyond(layer.kept.before[0], seen.within, seen.beyond)
    return measured, shares


def _see(part: Parts, reach: int, gates: int | None, limited: bool, down: bool) -> dict[str, _Seen]:
    """What is kept of a layer's step, by the last part of the component's name.

    Args:
      part: what comes back.
      reach: as in `measure`.
      gates: of the cell, where units are asked for.
      limited: whether there is a horizon.
      down: whether there is a layer below.
    """
    found = {
        state: _weights(of_u, of_x, reach, gates, limited)
        for state, (of_u, of_x) in _states(part).items()
    }
    if down:
        found["down"] = _vector(part.down[:reach], gates is not None)
    return found


def _states(part: Parts) -> dict[str, tuple[Array, Array]]:
    """Component of a layer -> gradients of u_z and x_z."""
    if len(part.of_u) == 1:
        return {"h": (part.of_u[0], part.of_x[0])}
    (u_h, u_c), (x_h, x_c) = part.of_u, part.of_x
    return {"h": (u_h, x_h), "c": (u_c, x_c), "both": (u_h + u_c, x_h + x_c)}


def _weights(of_u: Array, of_x: Array, reach: int, gates: int | None, limited: bool) -> _Seen:
    """A contribution to weights."""
    u, x = of_u[:reach], of_x[:reach]
    units = None
    if gates is not None:
        units = _length(u.reshape(*u.shape[:-1], gates, -1), axis=-2)
    return _Seen(
        _length(u),
        jnp.abs(u).mean(axis=-1),
        _length(x),
        units,
        u.sum(axis=0) if limited else None,
        of_u[reach] if limited else None,
    )


def _vector(down: Array, units: bool) -> _Seen:
    """A gradient that is handed on."""
    size = jnp.abs(down)
    return _Seen(_length(down), size.mean(axis=-1), None, size if units else None, None, None)


def _length(x: Array, axis: int = -1) -> Array:
    return jnp.sqrt((x * x).sum(axis=axis))


def _with_factors(seen: _Seen, layer: Layer) -> Measured:
    """Times what the step read: h[j-1] for the recurrent weights, the input for those of it."""
    if seen.input_norm is None:  # of no weights
        return Measured(seen.norm, seen.mean_abs, None, seen.units)
    h_tsh, x_tse = layer.kept.before[0], layer.kept.x_tbe
    long_h = _length(h_tsh)[:, None, :]
    return Measured(
        seen.norm * long_h,
        seen.mean_abs * jnp.abs(h_tsh).mean(axis=-1)[:, None, :],
        seen.input_norm * _length(x_tse)[:, None, :],
        None if seen.units is None else seen.units * long_h[..., None],
    )


def _share_beyond(h_tsh: Array, within_tsz: Array, beyond_tsz: Array) -> Array:
    """Norm of the gradient of the recurrent weights beyond the horizon, over that plus the norm of
    the gradient within it."""
    far, near = (_norm_of_sum(h_tsh, of_u) for of_u in (beyond_tsz, within_tsz))
    whole = far + near
    return jnp.where(whole > 0, far / jnp.where(whole > 0, whole, 1), 0)


def _norm_of_sum(h_tsh: Array, of_u_tsz: Array) -> Array:
    """Frobenius norm of the sum of h (x) u over time and sequences."""
    h = h_tsh.reshape(-1, h_tsh.shape[-1])
    return jnp.sqrt((jnp.square(h.T @ of_u_tsz.reshape(-1, of_u_tsz.shape[-1]))).sum())
