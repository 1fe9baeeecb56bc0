"""Measures of itemized gradients; `lm.gradient_flow` defines them.

Shapes as in `lm.gradient_flow.backward`. A contribution to weights has rank one, so its measures
are products of measures of two vectors, and no matrix is formed. A gate's gradient is its channel's
times a factor, and so are its square and its absolute value. So sums over gates and units are
products of squares and absolute values of few arrays with weights, which are known before the
loop back through time.

M components of a layer.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from lm.gradient_flow.backward import (
    Factors,
    Layer,
    LayerGradients,
    backward_through_time,
    by_channel,
    factors_of,
)
from lm.model.cells import CELLS
from lm.model.scan_vjp import CellVJP
from lm.model.types import Carry


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
    mean: Array
    input_norm: Array | None
    """None of no weights."""
    units: Array | None
    """[T, K, S, H]."""


class _StepMeasures(NamedTuple):
    """Measures of the M components of a layer at one step, without the factors of the forward pass.

    With the time steps in front they are [T, S, M, K].
    """

    squares: Array
    """Squares of the norms, [S, M, K]; after them, where they are others, those of the norms of
    the gradients of x_z."""
    sizes: Array
    """Sums of absolute values, [S, M, K]."""
    sums: Array
    """Sums of values, [S, M, K]."""
    unit_squares: tuple[Array, ...]
    """For each component, [S, H, K]; empty where units are not measured."""
    down: tuple[Array, Array, Array, Array] | None
    """Squares, absolute values and values of the gradient of the input added up, [S, K], and its
    squares, [S, E, K]; None for the lowest layer."""


class _Weights(NamedTuple):
    """Weights of the squares, absolute values and values of `_terms`, [T, S, M, terms * H]."""

    squares: Array
    sizes: Array
    sums: Array
    by_channel: list[Array]
    """Weights of the squares of each channel, [T, S, H]."""
    by_u: Array
    by_state: tuple[tuple[Array, ...], ...]


class _Sums(NamedTuple):
    """Sums over the losses of a component at one step, [S, G*H]."""

    within: Array
    """Of those that are kept apart."""
    beyond: Array


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
    vjps = [layer.vjp for layer in layers]

    def measure(
        parts: list[LayerGradients], weights: list[_Weights]
    ) -> tuple[list[_StepMeasures], list[dict[str, _Sums]]]:
        found = [_measure_layer(*pair, reach, units) for pair in zip(weights, parts, strict=True)]
        triples = zip(vjps, weights, parts, strict=True) if limited else ()
        return found, [_sum_layer(*triple, reach) for triple in triples]

    measured, shares = {}, {}
    weights = [_weights(layer.vjp, factors_of(layer)) for layer in layers]
    found, sums = backward_through_time(layers, reach, measure, weights)
    for number, (layer, of_layer) in enumerate(zip(layers, found, strict=True), start=1):
        for state, seen in _by_state(of_layer, layer).items():
            measured[f"layer_{number}/{state}"] = seen
        if of_layer.down is not None:
            measured[f"layer_{number}/down"] = _of_input(of_layer.down, units)
    for number, (layer, summed) in enumerate(zip(layers, sums, strict=False), start=1):
        for state, (within, beyond) in summed.items():
            shares[f"layer_{number}/{state}"] = _share_beyond(
                layer.residuals.before[0], within, beyond
            )
    return measured, shares


def _names(states: int) -> tuple[str, ...]:
    """Components of a layer by the number of arrays in its carry, in the order of M."""
    return ("h",) if states == 1 else ("h", "c", "both")


def _terms(states: Carry, channels: tuple[Array, ...]) -> list[Array]:
    """Arrays whose squares and absolute values are weighted: states, then those channels that are
    none of them."""
    return [*states, *(one for one in channels if all(one is not state for state in states))]


def _weights(vjp: CellVJP, factors: Factors) -> _Weights:
    """Find the weights of all steps."""
    by_u, by_x = (jnp.split(x, vjp.gates, axis=-1) for x in (factors.by_u, factors.by_x))
    squares = by_channel(vjp, [jnp.square(x) for x in by_u])
    square_weights = _of_components(vjp, factors, squares, jnp.square)
    if not vjp.same_input_gradient:
        of_x = by_channel(vjp, [jnp.square(x) for x in by_x])
        square_weights += _of_components(vjp, factors, of_x, jnp.square)
    sizes = by_channel(vjp, [jnp.abs(x) for x in by_u])
    sums = by_channel(vjp, by_u)
    return _Weights(
        squares=jnp.stack(square_weights, axis=-2),
        sizes=jnp.stack(_of_components(vjp, factors, sizes, jnp.abs), axis=-2),
        sums=jnp.stack(_of_components(vjp, factors, sums, lambda x: x), axis=-2),
        by_channel=squares,
        by_u=factors.by_u,
        by_state=factors.by_state,
    )


def _of_components(
    vjp: CellVJP, factors: Factors, of_channel: list[Array], size: Callable[[Array], Array]
) -> list[Array]:
    """Weights of the terms for each component, [T, S, terms * H].

    Args:
      vjp: of the layer's cell.
      factors: of its steps.
      of_channel: weights of each channel.
      size: square, absolute value, or the value itself.
    """
    blank = jnp.zeros_like(of_channel[0])
    ones = tuple(jnp.ones_like(blank) for _ in factors.by_state)
    channels = vjp.channels(factors.slopes, ones)
    names = _terms(ones, channels)
    found = []
    for state, by in enumerate(factors.by_state):
        whole = sum((size(x) * weight for x, weight in zip(by, of_channel, strict=True)), blank)
        row = [whole if place == state else blank for place in range(len(names))]
        found.append(jnp.concatenate(row, axis=-1))
    if len(factors.by_state) == 1:
        return found
    row = [
        sum((w for x, w in zip(channels, of_channel, strict=True) if x is name), blank)
        for name in names
    ]
    return [*found, jnp.concatenate(row, axis=-1)]


def _measure_layer(
    weights: _Weights, part: LayerGradients, reach: int, units: bool
) -> _StepMeasures:
    """Measure a layer at one step.

    Args:
      weights: of the step.
      part: the gradients that reach the layer.
      reach: number of steps back that are kept apart.
      units: whether each unit's part is measured, too.
    """
    terms = jnp.concatenate(_terms(part.states, part.channels), axis=1)[..., :reach]
    down = None
    if part.down is not None:
        kept = part.down[..., :reach]
        square = jnp.square(kept)
        down = square.sum(axis=1), jnp.abs(kept).sum(axis=1), kept.sum(axis=1), square
    return _StepMeasures(
        squares=_weighted(weights.squares, jnp.square(terms)),
        sizes=_weighted(weights.sizes, jnp.abs(terms)),
        sums=_weighted(weights.sums, terms),
        unit_squares=tuple(_unit_squares(weights, part, reach)) if units else (),
        down=down,
    )


def _weighted(weights_smz: Array, terms_szr: Array) -> Array:
    return jnp.einsum("smz,szr->smr", weights_smz, terms_szr)


def _unit_squares(weights: _Weights, part: LayerGradients, reach: int) -> list[Array]:
    """Squares of the norms of each unit's part, for each component, [S, H, K]."""
    return [
        sum(
            (
                jnp.square(x[..., :reach]) * weight[..., None]
                for x, weight in zip(channels, weights.by_channel, strict=True)
            ),
            jnp.float32(0),
        )
        for channels in _channels_by_state(weights, part)
    ]


def _channels_by_state(weights: _Weights, part: LayerGradients) -> list[tuple[Array, ...]]:
    """Gradients of the channels for each component."""
    found = [
        tuple(state * x[..., None] for x in by)
        for state, by in zip(part.states, weights.by_state, strict=True)
    ]
    return found if len(found) == 1 else [*found, part.channels]


def _sum_layer(
    vjp: CellVJP, weights: _Weights, part: LayerGradients, reach: int
) -> dict[str, _Sums]:
    """Add up the losses of a layer at one step, within the horizon and beyond."""

    def summed(channels: tuple[Array, ...], rows: slice) -> Array:
        sums = [x[..., rows].sum(axis=-1) for x in channels]
        by_u = jnp.split(weights.by_u, vjp.gates, axis=-1)
        gates = zip(by_u, vjp.channel_of_gate, strict=True)
        return jnp.concatenate([by * sums[channel] for by, channel in gates], axis=-1)

    return {
        state: _Sums(summed(channels, slice(reach)), summed(channels, slice(reach, None)))
        for state, channels in zip(
            _names(len(part.states)), _channels_by_state(weights, part), strict=True
        )
    }


def _by_state(seen: _StepMeasures, layer: Layer) -> dict[str, ComponentMeasures]:
    """Take roots, put the rows before the sequences, and multiply by the factors of the forward
    pass: h[j-1] for recurrent weights, x[j] for input weights."""
    h_tsh, x_tse = layer.residuals.before[0], layer.residuals.x_tbe
    long_h, long_x = (_norm(x)[:, None, :] for x in (h_tsh, x_tse))
    mean_size_h, mean_h = (x.mean(axis=-1)[:, None, :] for x in (jnp.abs(h_tsh), h_tsh))
    width = layer.vjp.gates * h_tsh.shape[-1]
    names = _names(len(layer.residuals.after))
    norms = _rows_first(jnp.sqrt(seen.squares))
    mean_sizes, means = (_rows_first(x) / width for x in (seen.sizes, seen.sums))
    return {
        name: ComponentMeasures(
            norm=norms[..., place] * long_h,
            mean_abs=mean_sizes[..., place] * mean_size_h,
            mean=jnp.abs(means[..., place] * mean_h),
            input_norm=norms[..., place - len(names)] * long_x,
            units=_rows_first(jnp.sqrt(seen.unit_squares[place])) * long_h[..., None]
            if seen.unit_squares
            else None,
        )
        for place, name in enumerate(names)
    }


def _of_input(down: tuple[Array, Array, Array, Array], units: bool) -> ComponentMeasures:
    """Measure the gradient that a layer hands down."""
    square, size, total, unit_squares = down
    width = unit_squares.shape[2]
    return ComponentMeasures(
        norm=jnp.sqrt(_rows_first(square)),
        mean_abs=_rows_first(size) / width,
        mean=jnp.abs(_rows_first(total)) / width,
        input_norm=None,
        units=_rows_first(jnp.sqrt(unit_squares)) if units else None,
    )


def _rows_first(x: Array) -> Array:
    """[T, S, ..., K] -> [T, K, S, ...]."""
    return jnp.moveaxis(x, -1, 1)


def _norm(x: Array) -> Array:
    return jnp.sqrt((x * x).sum(axis=-1))


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
