"""Itemised gradients in float64, against the whole gradient, autodiff, and a closed form."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array, lax

from lm.config import parse_config
from lm.gradient_flow import backward
from lm.gradient_flow.backward import Layer
from lm.gradient_flow.measures import component_names, measure_components
from lm.gradient_flow.recorder import to_record
from lm.model.cells import CELLS
from lm.model.scan_vjp import (
    CELL_VJPS,
    LayerWeights,
    RecurrentWeights,
    scan_with_residuals,
)
from tests.lm.helpers.gradient_flow_model import (
    BATCH,
    LENGTH,
    SIZES,
    UNITS,
    Case,
    all_parts,
    contributions,
    everything,
)

Compose = Callable[..., dict[str, Any]]
TOLERANCE = 1e-10
SAMPLED = ("loss.kind=sampled_softmax", "loss.samples=4", "model.dropout=0.3")

REGULARIZED = (
    *("model.dropout_kind=locked", "model.dropout=0.3", "model.last_size=4", "loss.over_time=sum"),
    *("loss.activation_penalty=0.5", "loss.slowness_penalty=0.3"),
)


@pytest.fixture(autouse=True)
def _in_float64() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def case(tiny: Compose, cell: str, layers: int, *overrides: str) -> Case:
    options = (f"model.cell={cell}", f"model.layers={layers}", *SIZES, *overrides)
    return Case(parse_config(tiny(*options)))


@pytest.mark.parametrize(
    ("cell", "layers", "overrides"),
    [
        *((cell, layers, ()) for cell in CELLS for layers in (1, 2, 3)),
        ("lstm", 2, SAMPLED),
        ("lstm", 2, REGULARIZED),
        ("gru", 2, ("train.predict=last",)),
    ],
)
def test_contributions_add_up_to_the_gradient(
    tiny: Compose, cell: str, layers: int, overrides: tuple[str, ...]
) -> None:
    one = case(tiny, cell, layers, *overrides)
    whole = one.gradient()
    for number, (residuals, part) in enumerate(zip(*one.inside(everything), strict=True)):
        du, dx = (np.asarray(sum(ways)) for ways in (part.du, part.dx))
        expected = whole["layers"][number]
        recurrent = contributions(residuals, du).sum(axis=(0, 1, 2))
        assert np.abs(recurrent).max() > 1e-3
        np.testing.assert_allclose(recurrent, expected["recurrent_kernel"], atol=TOLERANCE)
        inputs = np.einsum("jbe,jkbz->ez", np.asarray(residuals.x_tbe), dx)
        np.testing.assert_allclose(inputs, expected["input_kernel"], atol=TOLERANCE)
        np.testing.assert_allclose(dx.sum(axis=(0, 1, 2)), expected["bias"], atol=TOLERANCE)
        if cell == "gru":
            bias = du[..., -UNITS:].sum(axis=(0, 1, 2))
            np.testing.assert_allclose(bias, expected["recurrent_bias"], atol=TOLERANCE)


def test_vanilla_rnn_has_the_papers_products_of_jacobians(tiny: Compose) -> None:
    """Cashman et al. 2017, equation 14, with every Jacobian written out."""
    one = case(tiny, "rnn", 1, "model.hidden_size=null")
    p = jax.tree.map(np.asarray, one.params)
    kernel, inputs, bias = (
        p["layers"][0][name] for name in ("recurrent_kernel", "input_kernel", "bias")
    )
    targets = np.asarray(one.batch.targets_tb).reshape(LENGTH, BATCH)
    x_tbe = p["embedding"]["weight"][np.asarray(one.batch.inputs_tb)]
    h = [np.asarray(one.carry[0][0])]
    for x in x_tbe:
        h.append(np.tanh(x @ inputs + h[-1] @ kernel + bias))
    measured, _ = one.inside(partial(measure_components, reach=LENGTH, units=False))
    record = to_record(measured["layer_1/h"])
    for b in range(BATCH):
        for t in range(LENGTH):
            logits = p["output"]["weight"] @ h[t + 1][b] + p["output"]["bias"]
            error = np.exp(logits) / np.exp(logits).sum()
            error[targets[t, b]] -= 1
            of_h = p["output"]["weight"].T @ error / (LENGTH * BATCH)
            for j in range(t, -1, -1):
                slope = np.diag(1 - h[j + 1][b] ** 2)
                found = np.outer(h[j][b], slope @ of_h)
                norm, mean = record.norms[b, t, t - j], record.mean_abs[b, t, t - j]
                assert record.means is not None
                signed = record.means[b, t, t - j]
                np.testing.assert_allclose(norm, np.linalg.norm(found), rtol=1e-6)  # a float32
                np.testing.assert_allclose(mean, np.abs(found).mean(), rtol=1e-6)
                np.testing.assert_allclose(signed, abs(found.mean()), rtol=1e-5)
                of_h = kernel @ slope @ of_h  # the Jacobian of h[j] by h[j-1], transposed
    later = np.arange(LENGTH)[None, :] > np.arange(LENGTH)[:, None]
    assert not record.norms[:, later].any()


def stack(cell: str, random: np.random.Generator) -> tuple[list[Any], Array, list[Array]]:
    """Weights and starts of two layers, inputs, and the scales of their outputs."""

    def normal(*shape: int) -> Array:
        return jnp.asarray(random.normal(size=shape))

    width = CELLS[cell].gates * UNITS
    layers = []
    for inputs in (4, UNITS):
        bias = normal(UNITS) if cell == "gru" else None
        recurrent = RecurrentWeights(normal(UNITS, width), bias)
        weights = LayerWeights(normal(inputs, width), normal(width), recurrent)
        layers.append((weights, tuple(normal(BATCH, UNITS) for _ in CELLS[cell].carry_names)))
    x_tbe = normal(LENGTH, BATCH, 4)
    return layers, x_tbe, [normal(LENGTH, BATCH, UNITS) for _ in layers]


@pytest.mark.parametrize("kind", CELLS)
def test_each_contribution_is_autodiffs(kind: str) -> None:
    """Of a stack read step by step, whose pre-activations are pushed, and whose states are cut."""
    cell = CELL_VJPS[CELLS[kind]]
    weighted, x_tbe, scales = stack(kind, np.random.default_rng(3))

    def losses(push: Array, cut: Array) -> Array:
        """[T], where push is [layer, u or x, T, B, G*H] and cut [layer, T] hinders gradients."""
        carries = [start for _, start in weighted]
        found = []
        for t in range(LENGTH):
            x = x_tbe[t]
            for number, (weights, _) in enumerate(weighted):
                u_z = carries[number][0] @ weights.recurrent.kernel + push[number, 0, t]
                x_z = x @ weights.kernel + weights.bias[None] + push[number, 1, t]
                (h, *rest), _ = cell.step(weights.recurrent, carries[number], x_z, u_z)
                h = jnp.where(cut[number, t], lax.stop_gradient(h), h)
                carries[number] = (h, *rest)
                x = h * scales[number][t]
            found.append(x.sum())
        return jnp.stack(found)

    push = jnp.zeros((2, 2, LENGTH, BATCH, cell.gates * UNITS))
    nowhere = jnp.zeros((2, LENGTH), bool)
    jacobian = jax.jit(jax.jacrev(losses))
    whole = jacobian(push, nowhere)
    parts = jax.jit(lambda: all_parts(layers_of(kind, weighted, x_tbe, scales), LENGTH))()
    for number, part in enumerate(parts):
        for j in range(LENGTH):
            along_c = jacobian(push, nowhere.at[number, j].set(True)) if kind == "lstm" else whole
            for t in range(j, LENGTH):
                for way, of_z in enumerate((part.du, part.dx)):
                    total = whole[t, number, way, j]
                    np.testing.assert_allclose(sum(of_z)[j, t - j], total, atol=TOLERANCE)
                    if kind == "lstm":
                        c = along_c[t, number, way, j]
                        np.testing.assert_allclose(of_z[1][j, t - j], c, atol=TOLERANCE)


def layers_of(kind: str, weighted: list[Any], x_tbe: Array, scales: list[Array]) -> list[Layer]:
    layers = []
    for (weights, start), scale in zip(weighted, scales, strict=True):
        vjp = CELL_VJPS[CELLS[kind]]
        _, outputs, residuals = scan_with_residuals(vjp, weights, start, x_tbe)
        layers.append(Layer(vjp=vjp, residuals=residuals, scale_tsh=scale))
        x_tbe = outputs * scale
    return layers


@pytest.mark.parametrize("cell", CELLS)
def test_measures_are_those_of_the_matrices(tiny: Compose, cell: str) -> None:
    one = case(tiny, cell, 2, "model.dropout=0.3")
    layers, parts = one.inside(everything)
    measured, shares = one.inside(partial(measure_components, reach=LENGTH, units=True))
    assert not shares
    states = ["h", "c", "both"] if cell == "lstm" else ["h"]
    assert set(measured) == {f"layer_{n}/{s}" for n in (1, 2) for s in states} | {"layer_2/down"}
    assert set(measured) == set(component_names(cell, 2))
    for number, (residuals, part) in enumerate(zip(layers, parts, strict=True), start=1):
        for state in states:
            ways = {"h": slice(0, 1), "c": slice(1, 2), "both": slice(None)}[state]
            found = measured[f"layer_{number}/{state}"]
            full = contributions(residuals, sum(part.du[ways]))
            norm = np.linalg.norm(full, axis=(-2, -1))
            np.testing.assert_allclose(found.norm, norm, atol=TOLERANCE)
            np.testing.assert_allclose(found.mean_abs, np.abs(full).mean((-2, -1)), atol=TOLERANCE)
            np.testing.assert_allclose(found.mean, np.abs(full.mean((-2, -1))), atol=TOLERANCE)
            gates = full.reshape(*full.shape[:-1], CELLS[cell].gates, UNITS)
            units = np.sqrt((gates**2).sum(axis=(-3, -2)))
            np.testing.assert_allclose(found.units, units, atol=TOLERANCE)
            np.testing.assert_allclose((units**2).sum(axis=-1), norm**2, atol=TOLERANCE)
            dx = np.asarray(sum(part.dx[ways]))
            entering = np.einsum("jbe,jkbz->jkbez", np.asarray(residuals.x_tbe), dx)
            into = np.linalg.norm(entering, axis=(-2, -1))
            np.testing.assert_allclose(found.input_norm, into, atol=TOLERANCE)
    down = measured["layer_2/down"]
    np.testing.assert_allclose(down.norm, np.linalg.norm(parts[1].down, axis=-1), atol=TOLERANCE)
    np.testing.assert_allclose(down.mean, np.abs(parts[1].down.mean(axis=-1)), atol=TOLERANCE)
    assert down.input_norm is None


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_horizon_leaves_what_is_within_and_tells_the_share_beyond(tiny: Compose, cell: str) -> None:
    one, reach = case(tiny, cell, 2), 2
    layers, parts = one.inside(everything)
    whole, _ = one.inside(partial(measure_components, reach=LENGTH, units=False))
    measured, shares = one.inside(partial(measure_components, reach=reach, units=False))
    for name, found in measured.items():
        np.testing.assert_allclose(found.norm, whole[name].norm[:, :reach], atol=TOLERANCE)
    assert set(shares) == {name for name in measured if not name.endswith("down")}
    for number, (residuals, part) in enumerate(zip(layers, parts, strict=True), start=1):
        full = contributions(residuals, part.du[0])
        near, far = (
            np.linalg.norm(rows.sum(axis=(0, 1, 2))) for rows in (full[:, :reach], full[:, reach:])
        )
        assert 0.001 < far / (near + far) < 1
        share = shares[f"layer_{number}/h"]
        np.testing.assert_allclose(share, far / (near + far), atol=TOLERANCE)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("reach", [1, 4, 5, LENGTH])
def test_loops_in_which_rows_are_added_change_no_number(
    monkeypatch: pytest.MonkeyPatch, tiny: Compose, cell: str, reach: int
) -> None:
    """One loop, against one of a step or two after another."""
    one = case(tiny, cell, 2, "model.dropout=0.3")
    look = partial(measure_components, reach=reach, units=True)
    monkeypatch.setattr(backward, "SEGMENTS", 1)
    whole, whole_shares = one.inside(look)
    monkeypatch.setattr(backward, "SEGMENTS", 3)
    monkeypatch.setattr(backward, "MIN_SEGMENT", 1)
    cut, cut_shares = one.inside(look)
    for expected, found in ((whole, cut), (whole_shares, cut_shares)):
        jax.tree.map(partial(np.testing.assert_allclose, atol=TOLERANCE), expected, found)
    everything_measured, _ = one.inside(partial(look, reach=LENGTH))
    for name, found in cut.items():
        np.testing.assert_allclose(
            found.units, everything_measured[name].units[:, :reach], atol=TOLERANCE
        )


def test_loops_cover_all_steps_and_are_few() -> None:
    for steps in (1, 15, 16, 31, 32, 100, 401):
        loops = backward._segments(7, 7 + steps)
        assert [step for loop in loops[::-1] for step in range(*loop)] == [*range(7, 7 + steps)]
        assert len(loops) <= backward.SEGMENTS
        assert len(loops) == 1 or min(end - first for first, end in loops) >= backward.MIN_SEGMENT
