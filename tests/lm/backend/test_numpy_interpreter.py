"""What NumPy computes of a jaxpr beside what the compiled function computes."""

import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from lm.backend import numpy_interpreter
from lm.backend.execution import SeldomFunction
from lm.backend.numpy_interpreter import Interpreted, UnsupportedOperationError, Work

SOME = np.random.default_rng(0)
X = SOME.normal(size=(3, 4)).astype(np.float32)
Y = SOME.uniform(0.1, 0.9, size=(3, 4)).astype(np.float32)
CUBE = SOME.normal(size=(2, 3, 4)).astype(np.float32)
COUNTS = np.array([[7, -7, 3], [0, -1, 9]], np.int32)
ROWS = np.array([2, 0, 2, 1], np.int32)
FAR = np.array([-1, 0, 5, 3], np.int32)
BITS = np.array([0, 1, 0x80000000, 0xFFFFFFFF], np.uint32)


def unary(*names: str) -> dict[str, tuple[Any, ...]]:
    return {name: (getattr(lax, name), Y) for name in names}


def binary(*names: str) -> dict[str, tuple[Any, ...]]:
    return {name: (getattr(lax, name), X, Y) for name in names}


def fill_rows(mode: str) -> Callable[[Any, Any], Any]:
    return lambda x, rows: x.at[rows].get(mode=mode)


def change_rows(method: str, mode: str) -> Callable[[Any, Any, Any], Any]:
    return lambda x, rows, y: getattr(x.at[rows], method)(y, mode=mode)


def windows(x: Any, starts: Any) -> Any:
    """Slices of two rows and two columns, each at a place of its own."""
    numbers = lax.GatherDimensionNumbers(
        offset_dims=(1, 2), collapsed_slice_dims=(), start_index_map=(0, 1)
    )
    return lax.gather(x, starts, numbers, (2, 2), mode="clip")


@jax.custom_vjp
def with_own_gradient(x: Any) -> Any:
    return x + 1


with_own_gradient.defvjp(lambda x: (x + 1, None), lambda residual, gradient: (gradient,))

FUNCTIONS: dict[str, tuple[Any, ...]] = {
    **unary("abs", "cos", "exp", "exp2", "expm1", "floor", "log", "log1p", "logistic", "rsqrt"),
    **unary("sign", "sin", "sqrt", "square", "tanh", "is_finite", "neg"),
    **binary("add", "sub", "mul", "div", "max", "min", "eq", "ne", "lt", "le", "gt", "ge"),
    **binary("nextafter"),
    "round": (lambda x: lax.round(x, lax.RoundingMethod.TO_NEAREST_EVEN), 3 * X),
    "round away from zero": (jnp.round, 3 * X),
    "power": (lax.pow, Y, X),
    "power with whole exponents": (lax.pow, Y, np.array([[1, 2, 3, 0]] * 3, np.int32)),
    "square by hand": (lambda x: x**3 + x**-2, Y),
    "remainder": (lax.rem, X, Y),
    "remainder of integers": (lambda x: lax.rem(x, np.int32(4)), COUNTS),
    "quotient of integers": (lambda x: lax.div(x, np.int32(4)), COUNTS),
    "clamp": (lambda x: lax.clamp(-0.5, x, 0.5), X),
    "clip": (lambda x: jnp.clip(x, -0.5, 0.5), X),
    "logic": (lambda x, y: ((x > 0) & (y > 0)) | ~((x < 0) ^ (y > 0.5)), X, Y),
    "bits": (lambda x: (x & 7) ^ (x | 3) ^ ~x ^ (x << 2) ^ (x >> 3), BITS),
    "shifted signs": (lambda x: lax.shift_right_logical(x, np.int32(1)), COUNTS),
    "which": (jnp.where, X > 0, X, Y),
    "which of three": (lambda n, x: lax.select_n(n, x, 2 * x, 3 * x), np.int32(2), X),
    "casts": (lambda x: (x.astype(jnp.int32), x.astype(bool), x.astype(jnp.float16)), X),
    "same bits": (lambda x: lax.bitcast_convert_type(x, jnp.uint32), X),
    "copies": (lambda x: (jnp.copy(x), lax.stop_gradient(x), lax.optimization_barrier((x, x))), X),
    "reshape": (lambda x: x.reshape(2, 6), X),
    "squeeze": (lambda x: jnp.squeeze(x[:1], 0), X),
    "expand": (lambda x: lax.expand_dims(x, (1,)), X),
    "transpose": (lambda x: x.transpose(2, 0, 1), CUBE),
    "reverse": (lambda x: lax.rev(x, (1,)), X),
    "broadcast": (lambda x: jnp.broadcast_to(x[:, None, :], (3, 2, 4)), X),
    "concatenate": (lambda x, y: jnp.concatenate([x, y], axis=1), X, Y),
    "split": (lambda x: jnp.split(x, [1, 3], axis=1), X),
    "iota": (lambda: lax.broadcasted_iota(jnp.int32, (2, 3), 1),),
    "pad": (lambda x: lax.pad(x, 7.0, [(1, 2, 0), (0, -1, 0)]), X),
    "slice": (lambda x: x[1:, ::2], X),
    "slice at a place": (lambda x, n: lax.dynamic_slice(x, (n, n), (2, 3)), X, np.int32(9)),
    "update at a place": (
        lambda x, n: lax.dynamic_update_slice(x, -x[:2], (n, 0)),
        X,
        np.int32(-3),
    ),
    "sums": (lambda x: (x.sum(), x.sum(1), x.max(0), x.min((0, 2)), x.prod(2)), CUBE),
    "sums of integers": (lambda x: x.sum(0), COUNTS),
    "any and all": (lambda x: ((x > 0).any(0), (x > -2).all(1)), X),
    "places of extremes": (lambda x: (jnp.argmax(x, 1), jnp.argmin(x, 0)), X),
    "running sums": (lambda x: (x.cumsum(0), lax.cumsum(x, 1, reverse=True)), X),
    "product": (lambda x, y: x @ y.T, X, Y),
    "product over the first axis": (lambda x, y: jnp.einsum("ti,tj->ij", x, y), X, Y),
    "products side by side": (lambda x: jnp.einsum("bij,bkj->bik", x, x), CUBE),
    "products of two axes side by side": (lambda x: jnp.einsum("abi,abj->abij", x, x), CUBE),
    "product in float32": (lambda x: jnp.dot(x, x.T, preferred_element_type="float32"), X),
    "rows": (fill_rows("clip"), X, ROWS),
    "rows outside": (fill_rows("fill"), X, FAR),
    "rows moved inside": (fill_rows("clip"), X, FAR),
    "rows of a vector": (fill_rows("fill"), X[0], FAR),
    "rows of integers outside": (fill_rows("fill"), COUNTS, FAR),
    "rows of bits outside": (fill_rows("fill"), BITS, FAR),
    "rows of truths outside": (fill_rows("fill"), X > 0, FAR),
    "rows filled with zero": (lambda x, n: x.at[n].get(mode="fill", fill_value=0), X, FAR),
    "columns": (lambda x, n: x[:, n], X, ROWS),
    "rows of rows": (lambda x, n: x[n.reshape(2, 2)], CUBE[0], ROWS),
    "own column of each row": (lambda x, n: jnp.take_along_axis(x, n[:3, None], 1), X, ROWS),
    "windows": (windows, X, np.array([[0, 1], [5, 5]], np.int32)),
    "set rows": (change_rows("set", "drop"), X, np.array([2, 0, -9, 9]), np.vstack([Y, Y[:1]])),
    "add to rows": (change_rows("add", "drop"), X, FAR, np.vstack([Y, Y[:1]])),
    "add to repeated rows": (change_rows("add", "clip"), X, ROWS, np.vstack([Y, Y[:1]])),
    "least of rows": (change_rows("min", "drop"), X, ROWS, np.vstack([Y, Y[:1]])),
    "largest of rows": (change_rows("max", "drop"), X, ROWS, np.vstack([Y, Y[:1]])),
    "rows times rows": (change_rows("mul", "drop"), X, ROWS, np.vstack([Y, Y[:1]])),
    "add to columns": (lambda x, n: x.at[:, n].add(1.0), X, ROWS),
    "add to single numbers": (lambda x, n: x.at[n, n].add(2.0), X, ROWS),
    "nested call": (lambda x: jax.jit(lambda y: (y + 1, y * 2))(x), X),
    "forward mode of one's own": (jax.nn.relu6, X),
    "backward mode of one's own": (with_own_gradient, X),
    "scan": (lambda x: lax.scan(lambda c, row: (c * 0.5 + row, c.sum()), x[0], x), X),
    "scan backwards": (lambda x: lax.scan(lambda c, n: (c + n, c), x[0], x, reverse=True), X),
    "scan of nothing": (lambda x: lax.scan(lambda c, n: (c + n, c), x[0], x[:0]), X),
    "while": (
        lambda n: lax.while_loop(lambda c: c[0] < n, lambda c: (c[0] + 2, c[1] + c[0]), (0, 0)),
        np.int32(9),
    ),
    "branches": (lambda n, x: lax.switch(n, [jnp.sin, jnp.cos, jnp.tanh], x), np.int32(5), X),
    "slope of a tanh": (jax.grad(lambda x: jnp.tanh(x).sum()), X),
    "gradient of a softmax": (
        lambda x, n: jax.grad(
            lambda y: -jnp.take_along_axis(jax.nn.log_softmax(y), n[:3, None], 1).mean()
        )(x),
        X,
        ROWS,
    ),
}

KEY = 77
DRAWS: dict[str, Callable[[Any], Any]] = {
    "seed": lambda seed: jax.random.key_data(jax.random.key(seed)),
    "key of words": lambda seed: jax.random.key_data(
        jax.random.wrap_key_data(jnp.array([5, 6], jnp.uint32) + seed.astype(jnp.uint32))
    ),
    "split": lambda seed: jax.random.key_data(jax.random.split(jax.random.key(seed), (2, 3))),
    "fold": lambda seed: jax.random.key_data(jax.random.fold_in(jax.random.key(seed), 12345)),
    "bits": lambda seed: jax.random.bits(jax.random.key(seed), (3, 5)),
    "one number": lambda seed: jax.random.uniform(jax.random.key(seed)),
    "uniform": lambda seed: jax.random.uniform(jax.random.key(seed), (1000,)),
    "bernoulli": lambda seed: jax.random.bernoulli(jax.random.key(seed), 0.3, (9, 7)),
    "of each key": lambda seed: jax.vmap(lambda key: jax.random.bits(key, (2,)))(
        jax.random.split(jax.random.key(seed), 4)
    ),
}


def primitives(jaxpr: Any) -> Iterator[str]:
    for equation in jaxpr.eqns:
        yield equation.primitive.name
        for inner in jax.tree.leaves(list(equation.params.values()), is_leaf=has_equations):
            if has_equations(inner):
                yield from primitives(getattr(inner, "jaxpr", inner))


def has_equations(value: Any) -> bool:
    return hasattr(getattr(value, "jaxpr", value), "eqns")


def assert_alike(found: Any, expected: Any, **tolerance: float) -> None:
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert not isinstance(one, jax.Array)
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        np.testing.assert_allclose(one, other, **tolerance)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_numpy_computes_what_xla_computes(name: str) -> None:
    function, *arguments = FUNCTIONS[name]
    before = [array.copy() for array in arguments]
    assert_alike(
        Interpreted(function)(*arguments), jax.jit(function)(*arguments), rtol=2e-6, atol=1e-6
    )
    for array, copied in zip(arguments, before, strict=True):
        np.testing.assert_array_equal(array, copied)


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("seed", [0, 7, -1, 2**31 - 1])
def test_random_numbers_are_those_of_jax(name: str, seed: int) -> None:
    found = Interpreted(DRAWS[name])(np.int32(seed))
    assert_alike(found, jax.jit(DRAWS[name])(np.int32(seed)), rtol=0)


def test_a_key_may_be_an_argument() -> None:
    def draw(keys: Any) -> Any:
        return jax.random.bits(keys[1], (4,))

    keys = jax.random.split(jax.random.key(3), 2)
    assert_alike(Interpreted(draw)(keys), draw(keys), rtol=0)


def test_every_rule_is_compared_with_xla() -> None:
    compared = {
        name
        for function, *arguments in FUNCTIONS.values()
        for name in primitives(jax.make_jaxpr(function)(*arguments))
    } | {name for draw in DRAWS.values() for name in primitives(jax.make_jaxpr(draw)(np.int32(1)))}
    compared |= {"add_any", "closed_call"}  # autodiff leaves these behind
    compared |= {"jit", "pjit", "copy", "copy_p", "one_minus_square"}  # not in every version of JAX
    rules = {*numpy_interpreter._ELEMENTWISE, *numpy_interpreter._RULES}
    assert rules <= compared, rules - compared


def test_what_no_rule_computes_is_refused_before_anything_is_computed() -> None:
    told = []

    def function(x: Any) -> Any:
        jax.debug.callback(told.append, x)
        return jnp.sort(x)

    with pytest.raises(UnsupportedOperationError, match="no rule computes JAX's operation"):
        Interpreted(function)(X)
    assert told == []


@pytest.mark.parametrize(
    ("function", "what"),
    [
        (lambda x: lax.dot(x, x.T, precision="BF16_BF16_F32"), "products in the precision"),
        (lambda x: lax.pad(x, 0.0, [(0, 0, 1), (0, 0, 0)]), "padding between numbers"),
        (lambda x: jax.random.bits(jax.random.key(1, impl="rbg"), (3,)), "another generator"),
        (lambda x: jax.random.bits(jax.random.key(1), (3,), "uint8"), "other than 32 bits"),
        (lambda x: jax.random.key(1), "keys as results"),
    ],
)
def test_forms_that_no_rule_computes_are_refused(function: Any, what: str) -> None:
    with pytest.raises(UnsupportedOperationError, match=what):
        Interpreted(function)(X)


def test_a_function_without_a_rule_is_compiled(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "lm.backend.execution")
    found = SeldomFunction(jnp.sort)(X)
    assert isinstance(found, jax.Array)
    np.testing.assert_array_equal(found, np.sort(X))
    assert "no rule computes JAX's operation sort" in caplog.text


def test_little_work_is_interpreted_and_much_is_compiled() -> None:
    def repeat(times: int, x: Any) -> Any:
        return lax.scan(lambda c, _: (c * 2, None), x, length=times)[0]

    assert Interpreted(partial(repeat, 1000)).work(X) == Work(1000, 1000 * X.size)
    assert isinstance(SeldomFunction(partial(repeat, 1000))(X), np.ndarray)
    assert isinstance(SeldomFunction(partial(repeat, 30_000))(X), jax.Array)
    many = np.zeros(2**20, np.float32)
    assert isinstance(SeldomFunction(partial(repeat, 1000))(many), jax.Array)


def test_nothing_is_computed_to_prepare_what_numpy_computes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*arguments: Any) -> None:
        raise AssertionError("computed")

    little, compiled = SeldomFunction(jnp.sin), SeldomFunction(jnp.sort)
    monkeypatch.setattr(Interpreted, "__call__", refuse)
    little.prepare(X)
    compiled.prepare(X)
    assert compiled._compiled._cache_size() == 1


def test_a_function_is_traced_once_for_equal_shapes() -> None:
    traced = []

    def function(known: bool, x: Any) -> Any:
        traced.append(x.shape)
        return x + 1 if known else jnp.sort(x)

    for known in (True, False):
        run = SeldomFunction(partial(function, known))
        for array in (X, Y, X[:2], X):
            run(array)
    # What is compiled is traced a second time by `jax.jit`, which JAX may know by then.
    assert traced[:2] == [(3, 4), (2, 4)]
    assert sorted(set(traced[2:])) == [(2, 4), (3, 4)]
    assert len(traced) <= 6


def test_no_array_is_kept_longer_than_it_is_read() -> None:
    program, _ = Interpreted(lambda x: ((x + 1) * 2).sum())._find((X,))
    freed = [place for step in program.steps for place in step.last_used]
    assert len(freed) == len(set(freed)) == 3  # the argument, the sum, the product
    assert set(program.outputs).isdisjoint(freed)
