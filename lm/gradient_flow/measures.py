"""Measures of itemized gradients; `lm.gradient_flow` defines them.

Shapes as in `lm.gradient_flow.backward`. A contribution to weights has rank one, so its measures
are products of measures of two vectors, and no matrix is formed.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from lm.gradient_flow.backward import Layer, LayerGradients, backward_through_time
from lm.model.cells import CELLS


def component_names(cell: str, layers: int) -> list[str]:
    """Names of the components that are measured, layer by layer, as the page lists them."""
    names = CELLS[cell].carry_names
    states = ("both", *names) if len(names) > 1 else names
    return [
        f"layer_{number}/{part}"
        for number in range(1, layers + 1)
        for part in (*states, *(["down"] if number > 1 else []))
    ]


class ComponentMeasures(NamedTuple):
    """Measures of a component, [T, K, S]: by step j and distance k = t - j of the loss."""

    norm: Array
    mean_abs: Array
    input_norm: Array | None
    units: Array | None
    """[T, K, S, H]."""


class _StepMeasures(NamedTuple):
    """Measures of one component at one step, without the factors of the forward pass."""

    norm: Array
    """[K, S]"""
    mean_abs: Array
    input_norm: Array | None
    units: Array | None
    within: Array | None
    """Sum of the rows that are kept apart, [S, G*H]; None without a horizon, or of no weights."""
    beyond: Array | None


def measure_components(
    layers: Sequence[Layer], reach: int, units: bool
) -> tuple[dict[str, ComponentMeasures], dict[str, Array]]:
    """Measure all components of a batch.

    Args:
      layers: from the lowest to the top.
      reach: number of steps back that are kept apart.
      units: whether each unit's part is measured, too.

    Returns:
      By component: the measures; and the share of the gradient's norm beyond the horizon, f32[],
      over all sequences, where there is one.
    """
    limited = reach < len(layers[-1].scale_tsh)

    def measure(parts: list[LayerGradients]) -> list[dict[str, _StepMeasures]]:
        return [
            _measure_step(part, reach, layer.vjp.gates if units else None, limited, down=index > 0)
            for index, (layer, part) in enumerate(zip(layers, parts, strict=True))
        ]

    measured, shares = {}, {}
    for number, (layer, found) in enumerate(
        zip(layers, backward_through_time(layers, reach, measure), strict=True), start=1
    ):
        for state, seen in found.items():
            name = f"layer_{number}/{state}"
            measured[name] = _with_forward_factors(seen, layer)
            if seen.within is not None and seen.beyond is not None:
                shares[name] = _share_beyond(layer.residuals.before[0], seen.within, seen.beyond)
    return measured, shares


def _measure_step(
    part: LayerGradients, reach: int, gates: int | None, limited: bool, down: bool
) -> dict[str, _StepMeasures]:
    """Measure a layer at one step; keys are the last part of the component's name.

    Args:
      part: the gradients that reach the layer.
      reach: number of steps back that are kept apart.
      gates: number of the cell's gates; None: units are not measured.
      limited: whether there is a horizon.
      down: whether there is a layer below.
    """
    found = {
        state: _measure_weights(du, dx, reach, gates, limited)
        for state, (du, dx) in _states(part).items()
    }
    if down:
        found["down"] = _measure_vector(part.down[:reach], gates is not None)
    return found


def _states(part: LayerGradients) -> dict[str, tuple[Array, Array]]:
    """Gradients of u_z and x_z by component."""
    if len(part.du) == 1:
        return {"h": (part.du[0], part.dx[0])}
    (u_h, u_c), (x_h, x_c) = part.du, part.dx
    return {"h": (u_h, x_h), "c": (u_c, x_c), "both": (u_h + u_c, x_h + x_c)}


def _measure_weights(
    du: Array, dx: Array, reach: int, gates: int | None, limited: bool
) -> _StepMeasures:
    """Measure contributions to weights."""
    u, x = du[:reach], dx[:reach]
    units = None
    if gates is not None:
        units = _norm(u.reshape(*u.shape[:-1], gates, -1), axis=-2)
    return _StepMeasures(
        _norm(u),
        jnp.abs(u).mean(axis=-1),
        _norm(x),
        units,
        u.sum(axis=0) if limited else None,
        du[reach] if limited else None,
    )


def _measure_vector(down: Array, units: bool) -> _StepMeasures:
    """Measure the gradient that a layer hands down."""
    size = jnp.abs(down)
    return _StepMeasures(_norm(down), size.mean(axis=-1), None, size if units else None, None, None)


def _norm(x: Array, axis: int = -1) -> Array:
    return jnp.sqrt((x * x).sum(axis=axis))


def _with_forward_factors(seen: _StepMeasures, layer: Layer) -> ComponentMeasures:
    """Multiply by the factors of the forward pass: h[j-1] for recurrent weights, x[j] for input
    weights."""
    if seen.input_norm is None:  # of no weights
        return ComponentMeasures(seen.norm, seen.mean_abs, None, seen.units)
    h_tsh, x_tse = layer.residuals.before[0], layer.residuals.x_tbe
    long_h = _norm(h_tsh)[:, None, :]
    return ComponentMeasures(
        seen.norm * long_h,
        seen.mean_abs * jnp.abs(h_tsh).mean(axis=-1)[:, None, :],
        seen.input_norm * _norm(x_tse)[:, None, :],
        None if seen.units is None else seen.units * long_h[..., None],
    )


def _share_beyond(h_tsh: Array, within_tsz: Array, beyond_tsz: Array) -> Array:
    """Norm of the gradient of the recurrent weights beyond the horizon, over that plus the norm of
    the gradient within it."""
    far, near = (_norm_of_sum(h_tsh, du) for du in (beyond_tsz, within_tsz))
    whole = far + near
    return jnp.where(whole > 0, far / jnp.where(whole > 0, whole, 1), 0)


def _norm_of_sum(h_tsh: Array, du_tsz: Array) -> Array:
    """Frobenius norm of the sum of h (x) u over time and sequences."""
    h = h_tsh.reshape(-1, h_tsh.shape[-1])
    return jnp.sqrt((jnp.square(h.T @ du_tsz.reshape(-1, du_tsz.shape[-1]))).sum())
