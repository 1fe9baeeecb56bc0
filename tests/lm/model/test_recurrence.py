"""The hand-written backward pass against the plain scan over the Flax cells, and those against
Flax's own."""

import re
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import Array
from jax.test_util import check_grads

from lm.backend.execution import compiler_options
from lm.model.cells import CELLS, GRUCell, LSTMCell, RecurrentCell, RNNCell
from lm.model.recurrence import (
    Scan,
    run_cell,
    run_cell_with_residuals,
    scan_cell,
    with_recurrent_kernel,
)
from lm.model.scan_vjp import CELL_VJPS

TIME, BATCH, INPUTS, UNITS = 5, 3, 4, 6
TOLERANCE = {jnp.float32: 2e-6, jnp.float64: 1e-14}

Inputs = tuple[nnx.State, Any, Array]
"""Weights of a cell, its carry, and a sequence."""


def make_cell(kind: str) -> RecurrentCell:
    return CELLS[kind](
        INPUTS, UNITS, kernel_init=jax.random.normal, rngs=nnx.Rngs(params=jax.random.key(0))
    )


def example(
    cell: Any, dtype: Any, batch: int = BATCH, time: int = TIME
) -> tuple[nnx.GraphDef, Inputs]:
    """A cell all of whose weights are drawn, its biases, too."""
    keys = iter(jax.random.split(jax.random.key(1), 100))

    def normal(like: Array) -> Array:
        return 0.7 * jax.random.normal(next(keys), like.shape, dtype)

    graph, weights = nnx.split(cell)
    carry = cell.initialize_carry((batch, INPUTS), nnx.Rngs(0))
    return graph, jax.tree.map(normal, (weights, carry, jnp.zeros((time, batch, INPUTS))))


def loss(run: Scan, graph: nnx.GraphDef, weights: nnx.State, carry: Any, x_tbe: Array) -> Array:
    """A number in which every output and the last state count, each differently."""
    end, h_tbh = run(nnx.merge(graph, weights), carry, x_tbe)
    position = jnp.arange(h_tbh.size, dtype=h_tbh.dtype).reshape(h_tbh.shape)
    return (h_tbh * jnp.cos(position)).sum() + sum((state**3).sum() for state in end)


def outputs_and_gradients(run: Scan, graph: nnx.GraphDef, inputs: Inputs) -> list[Array]:
    """End, outputs, and gradients of weights, carry and sequence."""

    @jax.jit
    def compute(*inputs: Any) -> Any:
        weights, carry, x_tbe = inputs
        gradient = jax.grad(loss, argnums=(2, 3, 4))
        return run(nnx.merge(graph, weights), carry, x_tbe), gradient(run, graph, *inputs)

    return jax.tree.leaves(compute(*inputs))


def with_residuals(cell: Any, carry: Any, x_tbe: Array) -> tuple[Any, Array]:
    return run_cell_with_residuals(cell, carry, x_tbe)[:2]


@pytest.mark.parametrize("dtype", [pytest.param(jnp.float32, marks=pytest.mark.slow), jnp.float64])
@pytest.mark.parametrize("run", [run_cell, with_residuals])
@pytest.mark.parametrize("kind", CELLS)
def test_hand_written_pass_gives_the_outputs_and_gradients_of_the_plain_scan(
    kind: str, run: Scan, dtype: Any
) -> None:
    with jax.enable_x64(dtype is jnp.float64):
        graph, inputs = example(make_cell(kind), dtype)
        own, plain = (outputs_and_gradients(one, graph, inputs) for one in (run, scan_cell))
        assert len(own) == len(plain)
        for mine, other in zip(own, plain, strict=True):
            assert mine.dtype == dtype
            assert jnp.abs(mine - other).max() <= TOLERANCE[dtype] * jnp.abs(other).max()


@pytest.mark.parametrize("kind", CELLS)
def test_hand_written_pass_of_one_sequence_gives_what_the_plain_scan_gives(kind: str) -> None:
    with jax.enable_x64(True):
        graph, inputs = example(make_cell(kind), jnp.float64, batch=1)
        own, plain = (outputs_and_gradients(one, graph, inputs) for one in (run_cell, scan_cell))
        for mine, other in zip(own, plain, strict=True):
            assert jnp.abs(mine - other).max() <= TOLERANCE[jnp.float64] * jnp.abs(other).max()


@pytest.mark.parametrize("batch", [1, 2, 8])
@pytest.mark.parametrize("kind", CELLS)
def test_no_step_of_a_loop_copies_what_belongs_to_all_steps(kind: str, batch: int) -> None:
    """It did for one sequence: the time of a batch grew with the square of its length."""
    graph, inputs = example(make_cell(kind), jnp.float32, batch, time=37)
    gradient = jax.jit(
        partial(jax.grad(loss, argnums=(2, 3, 4)), run_cell, graph),
        compiler_options=compiler_options(multiplies=True),
    )
    program = gradient.lower(*inputs).compile().as_text()
    bodies = set(re.findall(r"body=(%[\w.-]+)", program))
    assert len(bodies) == 2  # forward and back
    for computation in program.split("\n\n"):
        if computation.split(" ")[0] in bodies:
            assert not re.findall(r"= f32\[37,.* copy\(", computation)


@pytest.mark.parametrize("kind", CELLS)
def test_backward_pass_equals_finite_differences(kind: str) -> None:
    with jax.enable_x64(True):
        graph, inputs = example(make_cell(kind), jnp.float64)

        def run(*inputs: Any) -> Array:
            return loss(run_cell, graph, *inputs)

        check_grads(run, inputs, order=1, modes=["rev"], rtol=1e-6, atol=1e-6, eps=1e-5)


@pytest.mark.parametrize("kind", CELLS)
def test_whole_sequence_equals_two_halves_with_the_carry_between(kind: str) -> None:
    graph, (weights, carry, x_tbe) = example(make_cell(kind), jnp.float32)

    @jax.jit
    def run(carry: Any, x_tbe: Array) -> tuple[Any, Array]:
        return run_cell(nnx.merge(graph, weights), carry, x_tbe)

    end, h_tbh = run(carry, x_tbe)
    middle, first = run(carry, x_tbe[:2])
    last, second = run(middle, x_tbe[2:])
    whole = jax.tree.leaves((end, h_tbh))
    halves = jax.tree.leaves((last, jnp.concatenate([first, second])))
    for one, other in zip(whole, halves, strict=True):
        assert jnp.abs(one - other).max() <= TOLERANCE[jnp.float32]


@pytest.mark.parametrize("kind", CELLS)
def test_gradients_of_stacked_trials_equal_those_one_by_one(kind: str) -> None:
    graph, one = example(make_cell(kind), jnp.float32)
    other = jax.tree.map(lambda array: 0.5 * array, one)

    def gradients(*inputs: Any) -> Any:
        return jax.grad(loss, argnums=(2, 3, 4))(run_cell, graph, *inputs)

    stacked = jax.jit(jax.vmap(gradients))(
        *jax.tree.map(lambda *lanes: jnp.stack(lanes), one, other)
    )
    for lane, inputs in enumerate((one, other)):
        for mine, alone in zip(
            jax.tree.leaves(stacked), jax.tree.leaves(gradients(*inputs)), strict=True
        ):
            scale = jnp.abs(alone).max()
            assert jnp.abs(mine[lane] - alone).max() <= TOLERANCE[jnp.float32] * scale


def flax_cell(kind: str) -> Any:
    """Flax's cell of the same equations."""
    cells = {"rnn": nnx.SimpleCell, "gru": nnx.GRUCell, "lstm": nnx.OptimizedLSTMCell}
    return cells[kind](INPUTS, UNITS, rngs=nnx.Rngs(0))


def copy_from_flax(theirs: Any, ours: RecurrentCell) -> None:
    """Give our cell Flax's weights."""
    ours.input_kernel[...] = theirs.dense_i.kernel[...]
    ours.recurrent_kernel[...] = theirs.dense_h.kernel[...]
    dense = theirs.dense_h if isinstance(ours, LSTMCell) else theirs.dense_i
    ours.bias[...] = dense.bias[...]


@pytest.mark.parametrize("kind", CELLS)
def test_cells_take_the_steps_of_flaxs_cells(kind: str) -> None:
    graph, (weights, carry, x_tbe) = example(flax_cell(kind), jnp.float32)
    theirs, ours = nnx.merge(graph, weights), make_cell(kind)
    copy_from_flax(theirs, ours)
    if isinstance(ours, GRUCell):
        ours.recurrent_bias[...] = jnp.zeros(UNITS)  # Flax's has none
    state = carry if isinstance(carry, tuple) else (carry,)
    own = state[::-1] if isinstance(ours, LSTMCell) else state  # Flax's is (c, h)
    _, expected = scan_cell(theirs, carry, x_tbe)
    _, found = scan_cell(ours, own, x_tbe)
    np.testing.assert_allclose(found, expected, atol=TOLERANCE[jnp.float32])


@pytest.mark.parametrize("kind", CELLS)
def test_any_flax_cell_runs_by_the_plain_scan(kind: str) -> None:
    graph, (weights, carry, x_tbe) = example(flax_cell(kind), jnp.float32)
    cell = nnx.merge(graph, weights)
    _, found = run_cell(cell, carry, x_tbe)
    expected = nnx.RNN(cell, time_major=True)(x_tbe, initial_carry=carry)
    np.testing.assert_allclose(found, expected, atol=TOLERANCE[jnp.float32])


def test_subclass_with_other_equations_does_not_get_its_parents_backward_pass() -> None:
    class DoubledCell(RNNCell):
        def __call__(self, carry: Any, inputs: Array) -> tuple[Any, Array]:
            return super().__call__(carry, 2 * inputs)

    doubled = DoubledCell(
        INPUTS, UNITS, kernel_init=jax.random.normal, rngs=nnx.Rngs(params=jax.random.key(0))
    )
    x_tbe = jax.random.normal(jax.random.key(1), (TIME, BATCH, INPUTS))
    carry = doubled.initialize_carry((BATCH, INPUTS))
    _, found = run_cell(doubled, carry, x_tbe)
    _, expected = run_cell(make_cell("rnn"), carry, 2 * x_tbe)
    np.testing.assert_allclose(found, expected, atol=TOLERANCE[jnp.float32])


def test_another_recurrent_kernel_leaves_the_cell_as_it_is() -> None:
    cell = make_cell("gru")
    before = np.asarray(cell.recurrent_kernel[...])
    copy = with_recurrent_kernel(cell, jnp.zeros_like(cell.recurrent_kernel[...]))
    assert not copy.recurrent_kernel[...].any()
    np.testing.assert_array_equal(cell.recurrent_kernel[...], before)
    np.testing.assert_array_equal(copy.input_kernel[...], cell.input_kernel[...])


@pytest.mark.parametrize("kind", CELLS)
def test_residuals_have_a_name_for_each_part(kind: str) -> None:
    cell = make_cell(kind)
    x_tbe = jnp.ones((TIME, BATCH, INPUTS))
    carry = cell.initialize_carry((BATCH, INPUTS))
    _, _, residuals = run_cell_with_residuals(cell, carry, x_tbe)
    names = CELL_VJPS[type(cell)].residual_names
    assert residuals.steps.shape == (TIME, BATCH, len(names) * UNITS)
    assert len(residuals.after) == len(cell.carry_names)
