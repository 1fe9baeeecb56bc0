"""Evaluate functions of JAX with NumPy, an operation at a time, without compiling them.

XLA takes about a second to compile a program that has run in milliseconds. So what runs seldom on a
CPU, such as a look at a step's gradients or a sample text, is traced to a jaxpr, JAX's own list of
operations, and NumPy computes these in turn. The results are those of the compiled function up to
rounding; random numbers of JAX's default generator, Threefry, are the same to the bit.

Every operation of a jaxpr has a rule here, which makes a function of arrays from the parameters of
the operation (JAX calls it a primitive). A jaxpr with another operation is refused before anything
is computed, with `UnsupportedOperationError`; then it has to be compiled.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import lax
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal
from numpy.typing import NDArray

Operation = Callable[..., Any]
"""Takes arrays of NumPy; gives one, or a sequence of several where the primitive has several."""
Rule = Callable[[Mapping[str, Any]], Operation]
"""Makes the operation of a primitive from its parameters."""


MAX_OPERATIONS = 20_000
"""Most operations that are worth interpreting: NumPy takes some microseconds to begin each."""
MAX_NUMBERS = 2**28
"""Most numbers, in the results of all operations together, that are worth interpreting. XLA writes
only some of them to memory, which a larger program gains more by than it takes to compile."""


class UnsupportedOperationError(Exception):
    """A jaxpr has an operation that has no rule, or has one in a form that no rule computes."""


class Step(NamedTuple):
    """An operation of a translated jaxpr, with the places of its arrays."""

    operation: Operation
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    has_several_results: bool
    last_used: tuple[int, ...]
    """Places that no later step reads."""


class Work(NamedTuple):
    """How much a program computes; a loop whose length is not known counts as one turn."""

    operations: int = 0
    numbers: int = 0
    """In the results of all operations together."""

    @property
    def is_little(self) -> bool:
        """Whether to interpret it some times takes no longer than to compile it."""
        return self.operations <= MAX_OPERATIONS and self.numbers <= MAX_NUMBERS


@dataclass(frozen=True)
class Program:
    """A translated jaxpr: takes and gives lists of arrays."""

    places: tuple[Any, ...]
    """Constants, each at its place; None at the others."""
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    steps: tuple[Step, ...]
    work: Work

    def __call__(self, *arguments: Any) -> list[Any]:
        """Compute; results may share memory with arguments and with each other."""
        arrays = list(self.places)
        for place, argument in zip(self.inputs, arguments, strict=True):
            arrays[place] = argument
        for operation, inputs, outputs, has_several_results, last_used in self.steps:
            found = operation(*[arrays[place] for place in inputs])
            if has_several_results:
                for place, array in zip(outputs, found, strict=True):
                    arrays[place] = array
            else:
                arrays[outputs[0]] = found
            for place in last_used:
                arrays[place] = None
        return [arrays[place] for place in self.outputs]


class Interpreted:
    """A function of JAX that NumPy computes.

    It is traced once for each structure and shapes of its arguments, as by `jax.jit`. Arguments are
    arrays of JAX or NumPy in any trees; results are arrays of NumPy, which may share memory with
    arguments. Keys of random numbers may be arguments, and no results.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        """Take a function as `jax.jit` does, without static arguments."""
        self._function = function
        self._programs: dict[Any, tuple[Program, Any] | UnsupportedOperationError] = {}

    def __call__(self, *arguments: Any) -> Any:
        """Compute the function.

        Raises:
          UnsupportedOperationError: it has an operation that no rule computes.
        """
        program, result = self._find(arguments)
        with np.errstate(all="ignore"):
            return jax.tree.unflatten(result, program(*map(_to_numpy, jax.tree.leaves(arguments))))

    def work(self, *arguments: Any) -> Work:
        """How much a call with these arguments computes; nothing is computed.

        Raises:
          UnsupportedOperationError: it has an operation that no rule computes.
        """
        return self._find(arguments)[0].work

    def _find(self, arguments: tuple[Any, ...]) -> tuple[Program, Any]:
        """The program for arguments like these, and the structure of its results."""
        leaves, structure = jax.tree.flatten(arguments)
        key = structure, tuple((np.shape(leaf), jax.dtypes.result_type(leaf)) for leaf in leaves)
        if key not in self._programs:
            traced, shapes = jax.make_jaxpr(self._function, return_shape=True)(*arguments)
            try:
                _require(not any(map(_is_key, traced.out_avals)), "keys as results")
                self._programs[key] = _translate_closed(traced), jax.tree.structure(shapes)
            except UnsupportedOperationError as error:
                self._programs[key] = error
        found = self._programs[key]
        if isinstance(found, UnsupportedOperationError):
            raise found
        return found


def _translate_closed(closed: ClosedJaxpr) -> Program:
    return _translate(closed.jaxpr, closed.consts)


def _translate(jaxpr: Jaxpr, constants: Sequence[Any] = ()) -> Program:
    places: list[Any] = []
    place_of: dict[Any, int] = {}

    def add(variable: Any, array: Any = None) -> int:
        place_of[variable] = len(places)
        places.append(array)
        return len(places) - 1

    def find(atom: Any) -> int:
        if not isinstance(atom, Literal):
            return place_of[atom]
        return add(object(), np.asarray(atom.val, _dtype(atom))[()])

    for variable, constant in zip(jaxpr.constvars, constants, strict=True):
        add(variable, _to_numpy(constant))
    inputs = tuple(add(variable) for variable in jaxpr.invars)
    steps, work = [], []
    for equation in jaxpr.eqns:
        operation = _operation(equation)
        arguments = tuple(find(atom) for atom in equation.invars)
        results = tuple(add(variable) for variable in equation.outvars)
        several = equation.primitive.multiple_results
        steps.append(Step(operation, arguments, results, several, ()))
        if isinstance(operation, Program | Composite):
            work.append(operation.work)
        else:
            work.append(Work(1, sum(map(_size, equation.outvars))))
    outputs = tuple(find(atom) for atom in jaxpr.outvars)
    kept = {*outputs, *(place for place, array in enumerate(places) if array is not None)}
    ordered = tuple(_with_last_uses(steps, kept))
    return Program(tuple(places), inputs, outputs, ordered, _sum_of(work))


@dataclass(frozen=True)
class Composite:
    """An operation that runs programs, and how much it computes with them."""

    operation: Operation
    work: Work

    def __call__(self, *arrays: Any) -> Any:
        """Compute."""
        return self.operation(*arrays)


def _size(atom: Any) -> int:
    return math.prod(atom.aval.shape)


def _dtype(atom: Any) -> Any:
    return atom.aval.dtype


def _sum_of(works: Sequence[Work], times: int = 1) -> Work:
    return Work(
        times * sum(work.operations for work in works), times * sum(work.numbers for work in works)
    )


def _with_last_uses(steps: Sequence[Step], kept: set[int]) -> list[Step]:
    """Note at each step which arrays may be forgotten after it; `kept` are never."""
    seen, found = set(kept), []
    for step in reversed(steps):
        unread = tuple({*step.inputs, *step.outputs} - seen)
        seen.update(unread)
        found.append(step._replace(last_used=unread))
    return found[::-1]


def _operation(equation: Any) -> Operation:
    name = equation.primitive.name
    if name in _ELEMENTWISE:
        return _ELEMENTWISE[name]
    if name not in _RULES:
        raise UnsupportedOperationError(f"no rule computes JAX's operation {name}")
    return _RULES[name](equation.params)


def _to_numpy(leaf: Any) -> Any:
    """An array of NumPy; a key of JAX's random numbers is one number of 64 bits."""
    if _is_key(leaf):
        _require(jax.random.key_impl(leaf) == "threefry2x32", "keys of another generator")
        return _pack(np.asarray(jax.random.key_data(leaf)))
    return np.asarray(leaf)


def _is_key(array: Any) -> bool:
    """Whether an array, or what JAX knows of it while it traces, is one of keys."""
    return jax.numpy.issubdtype(jax.dtypes.result_type(array), jax.dtypes.prng_key)


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise UnsupportedOperationError(f"no rule computes {what}")


# Operations on single numbers.


def _divide(x: Any, y: Any) -> Any:
    if np.issubdtype(x.dtype, np.floating):
        return x / y
    quotient = abs(x) // abs(y)  # towards zero, as in XLA
    return np.where((x < 0) != (y < 0), -quotient, quotient).astype(x.dtype)


def _shift_right_logical(x: Any, y: Any) -> Any:
    unsigned = np.dtype(f"u{x.dtype.itemsize}")
    return np.right_shift(x.view(unsigned), y.astype(unsigned)).view(x.dtype)


def _logistic(x: Any) -> Any:
    return 0.5 + 0.5 * np.tanh(0.5 * x)


_ELEMENTWISE: dict[str, Operation] = {
    "abs": np.abs,
    "add": np.add,
    "add_any": np.add,
    "and": np.bitwise_and,
    "clamp": lambda low, x, high: np.minimum(np.maximum(x, low), high),
    "copy": lambda x: x,
    "copy_p": lambda x: x,
    "cos": np.cos,
    "div": _divide,
    "eq": np.equal,
    "exp": np.exp,
    "exp2": np.exp2,
    "expm1": np.expm1,
    "floor": np.floor,
    "ge": np.greater_equal,
    "gt": np.greater,
    "is_finite": np.isfinite,
    "le": np.less_equal,
    "log": np.log,
    "log1p": np.log1p,
    "logistic": _logistic,
    "lt": np.less,
    "max": np.maximum,
    "min": np.minimum,
    "mul": np.multiply,
    "ne": np.not_equal,
    "neg": np.negative,
    "nextafter": np.nextafter,
    "not": np.invert,
    "one_minus_square": lambda x: 1 - x * x,
    "optimization_barrier": lambda *arrays: arrays,
    "or": np.bitwise_or,
    "pow": lambda x, y: np.power(x, y, dtype=x.dtype),  # y may be an integer
    "rem": np.fmod,
    "round": np.rint,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "shift_left": np.left_shift,
    "shift_right_logical": _shift_right_logical,
    "sign": np.sign,
    "sin": np.sin,
    "sqrt": np.sqrt,
    "square": np.square,
    "stop_gradient": lambda x: x,
    "sub": np.subtract,
    "tanh": np.tanh,
    "xor": np.bitwise_xor,
}
"""Operations without parameters that change what is computed."""

_RULES: dict[str, Rule] = {}
"""Rules of the other operations, by the primitive's name."""


def _rule(*names: str) -> Callable[[Rule], Rule]:
    def register(rule: Rule) -> Rule:
        _RULES.update(dict.fromkeys(names, rule))
        return rule

    return register


@_rule("convert_element_type")
def _convert(params: Mapping[str, Any]) -> Operation:
    return lambda x: x.astype(params["new_dtype"])


@_rule("bitcast_convert_type")
def _bitcast(params: Mapping[str, Any]) -> Operation:
    dtype = np.dtype(params["new_dtype"])

    def cast(x: Any) -> Any:
        _require(x.dtype.itemsize == dtype.itemsize, "a cast to numbers of another width")
        return x.view(dtype)

    return cast


@_rule("integer_pow")
def _integer_power(params: Mapping[str, Any]) -> Operation:
    power = params["y"]
    if power < 0:
        return lambda x: 1 / reduce(np.multiply, [x] * -power)
    return lambda x: reduce(np.multiply, [x] * power)


@_rule("select_n")
def _select(params: Mapping[str, Any]) -> Operation:
    def select(which: Any, *cases: Any) -> Any:
        if which.dtype == bool:
            return np.where(which, cases[1], cases[0])
        found = cases[0]
        for number, case in enumerate(cases[1:], 1):
            found = np.where(which == number, case, found)
        return found

    return select


# Shapes.


@_rule("reshape")
def _reshape(params: Mapping[str, Any]) -> Operation:
    _require(params.get("dimensions") is None, "a reshape that permutes")
    return lambda x: np.reshape(x, params["new_sizes"])


@_rule("squeeze")
def _squeeze(params: Mapping[str, Any]) -> Operation:
    return lambda x: np.squeeze(x, axis=params["dimensions"])


@_rule("transpose")
def _transpose(params: Mapping[str, Any]) -> Operation:
    return lambda x: np.transpose(x, params["permutation"])


@_rule("rev")
def _reverse(params: Mapping[str, Any]) -> Operation:
    return lambda x: np.flip(x, params["dimensions"])


@_rule("broadcast_in_dim")
def _broadcast(params: Mapping[str, Any]) -> Operation:
    shape, axes = params["shape"], params["broadcast_dimensions"]

    def broadcast(x: Any) -> Any:
        kept = [1] * len(shape)
        for axis, size in zip(axes, np.shape(x), strict=True):
            kept[axis] = size
        return np.broadcast_to(np.reshape(x, kept), shape)

    return broadcast


@_rule("concatenate")
def _concatenate(params: Mapping[str, Any]) -> Operation:
    return lambda *arrays: np.concatenate(arrays, axis=params["dimension"])


@_rule("split")
def _split(params: Mapping[str, Any]) -> Operation:
    ends = np.cumsum(params["sizes"])[:-1]
    return lambda x: np.split(x, ends, axis=params["axis"])


@_rule("iota")
def _iota(params: Mapping[str, Any]) -> Operation:
    shape, axis = params["shape"], params["dimension"]
    kept = [size if place == axis else 1 for place, size in enumerate(shape)]
    numbers = np.arange(shape[axis], dtype=params["dtype"]).reshape(kept)
    return lambda: np.broadcast_to(numbers, shape)


@_rule("pad")
def _pad(params: Mapping[str, Any]) -> Operation:
    config = params["padding_config"]
    _require(all(inner == 0 for _, _, inner in config), "padding between numbers")

    def pad(x: Any, value: Any) -> Any:
        room = [(max(low, 0), max(high, 0)) for low, high, _ in config]
        padded = np.pad(x, room, constant_values=value)
        cut = [
            slice(max(-low, 0), size - max(-high, 0))
            for (low, high, _), size in zip(config, padded.shape, strict=True)
        ]
        return padded[tuple(cut)]

    return pad


@_rule("slice")
def _slice(params: Mapping[str, Any]) -> Operation:
    strides = params["strides"] or (1,) * len(params["start_indices"])
    part = tuple(map(slice, params["start_indices"], params["limit_indices"], strides))
    return lambda x: x[part]


def _window(shape: Sequence[int], sizes: Sequence[int], starts: Sequence[Any]) -> Any:
    """The slices of a window, moved so that it lies within an array."""
    begins = [
        min(max(int(start), 0), length - size)
        for start, length, size in zip(starts, shape, sizes, strict=True)
    ]
    return tuple(slice(begin, begin + size) for begin, size in zip(begins, sizes, strict=True))


@_rule("dynamic_slice")
def _dynamic_slice(params: Mapping[str, Any]) -> Operation:
    sizes = params["slice_sizes"]
    return lambda x, *starts: x[_window(x.shape, sizes, starts)]


@_rule("dynamic_update_slice")
def _dynamic_update_slice(params: Mapping[str, Any]) -> Operation:
    def update(x: Any, part: Any, *starts: Any) -> Any:
        found = np.array(x)
        found[_window(x.shape, part.shape, starts)] = part
        return found

    return update


# Sums and products.


def _reduction(function: Callable[..., Any]) -> Rule:
    return lambda params: partial(function, axis=params["axes"])


_RULES |= {
    # In the array's own type: NumPy would add up integers in 64 bits.
    "reduce_sum": lambda params: lambda x: x.sum(axis=params["axes"], dtype=x.dtype),
    "reduce_prod": lambda params: lambda x: x.prod(axis=params["axes"], dtype=x.dtype),
    "reduce_max": _reduction(np.max),
    "reduce_min": _reduction(np.min),
    "reduce_and": _reduction(np.all),
    "reduce_or": _reduction(np.any),
}


def _position(function: Callable[..., Any]) -> Rule:
    def rule(params: Mapping[str, Any]) -> Operation:
        (axis,) = params["axes"]
        return lambda x: function(x, axis=axis).astype(params["index_dtype"])

    return rule


_RULES |= {"argmax": _position(np.argmax), "argmin": _position(np.argmin)}


@_rule("cumsum")
def _cumulative_sum(params: Mapping[str, Any]) -> Operation:
    axis = params["axis"]

    def add_up(x: Any) -> Any:
        if not params["reverse"]:
            return np.cumsum(x, axis=axis, dtype=x.dtype)
        return np.flip(np.cumsum(np.flip(x, axis), axis=axis, dtype=x.dtype), axis)

    return add_up


@_rule("dot_general")
def _dot(params: Mapping[str, Any]) -> Operation:
    (left, right), (left_batch, right_batch) = params["dimension_numbers"]
    exact = (None, lax.Precision.DEFAULT, lax.Precision.HIGH, lax.Precision.HIGHEST)
    precision = params["precision"]
    each = precision if isinstance(precision, tuple) else (precision,)
    _require(all(one in exact for one in each), f"products in the precision {precision}")
    wanted = params["preferred_element_type"]

    def multiply(x: Any, y: Any) -> Any:
        if not left_batch:
            found = np.tensordot(x, y, (left, right))
        else:
            found = _batched(x, left_batch, left) @ _batched(y, right_batch, right).swapaxes(1, 2)
            found = found.reshape(
                *(x.shape[axis] for axis in left_batch),
                *_free(x, left_batch, left),
                *_free(y, right_batch, right),
            )
        return found if wanted is None else found.astype(wanted, copy=False)

    return multiply


def _free(x: Any, batch: Sequence[int], contracted: Sequence[int]) -> list[int]:
    return [size for axis, size in enumerate(x.shape) if axis not in (*batch, *contracted)]


def _batched(x: Any, batch: Sequence[int], contracted: Sequence[int]) -> Any:
    """A factor as [batch, free, contracted]."""
    free = [axis for axis in range(x.ndim) if axis not in (*batch, *contracted)]
    moved = x.transpose(*batch, *free, *contracted)
    return moved.reshape(
        math.prod(x.shape[axis] for axis in batch),
        -1,
        math.prod(x.shape[axis] for axis in contracted),
    )


# Rows and single numbers at indices.


def _is_dropping(mode: Any) -> bool:
    """Whether what lies outside of an array is left out; else its indices are moved inside."""
    return bool(lax.GatherScatterMode.from_any(mode) == lax.GatherScatterMode.FILL_OR_DROP)


def _places(
    shape: Sequence[int],
    indices: Any,
    *,
    sizes: Sequence[int],
    index_axes: Sequence[int],
    batch_axes: Sequence[int],
    index_batch_axes: Sequence[int],
    window_axes: Sequence[int],
) -> tuple[list[Any], Any]:
    """Indices of the windows that a gather or scatter addresses, along each axis of an array.

    Args:
      shape: of the array.
      indices: [batch..., K]: where each window begins along the K `index_axes`.
      sizes: of a window along each axis.
      index_axes: axes of the array, one for each of the last axis of the indices.
      batch_axes, index_batch_axes: axes of the array, and of the indices, that go together.
      window_axes: axes of the array that a window keeps.

    Returns:
      For each axis an index that broadcasts to [batch..., window...]; and for each window whether
      it lies within the array, [batch...].
    """
    batch = indices.shape[:-1]
    inside, starts = np.ones(batch, bool), {}
    for number, axis in enumerate(index_axes):
        start, last = indices[..., number].astype(np.int64), shape[axis] - sizes[axis]
        inside &= (start >= 0) & (start <= last)
        starts[axis] = np.clip(start, 0, last)
    for axis, index_axis in zip(batch_axes, index_batch_axes, strict=True):
        kept = [size if place == index_axis else 1 for place, size in enumerate(batch)]
        starts[axis] = np.arange(shape[axis]).reshape(kept)
    found = []
    for axis, size in enumerate(sizes):
        start = np.asarray(starts.get(axis, 0))
        start = start.reshape(*start.shape, *(1,) * len(window_axes)) if start.ndim else start
        if axis in window_axes:
            kept = [size if other == axis else 1 for other in window_axes]
            start = start + np.arange(size).reshape(kept)
        found.append(start)
    return found, inside


@_rule("gather")
def _gather(params: Mapping[str, Any]) -> Operation:
    numbers, sizes = params["dimension_numbers"], params["slice_sizes"]
    drops, fill = _is_dropping(params["mode"]), params["fill_value"]

    def gather(x: Any, indices: Any) -> Any:
        hidden = {*numbers.collapsed_slice_dims, *numbers.operand_batching_dims}
        window_axes = [axis for axis in range(x.ndim) if axis not in hidden]
        places, inside = _places(
            x.shape,
            indices,
            sizes=sizes,
            index_axes=numbers.start_index_map,
            batch_axes=numbers.operand_batching_dims,
            index_batch_axes=numbers.start_indices_batching_dims,
            window_axes=window_axes,
        )
        found = _take(x, places, sizes)
        batch_rank = indices.ndim - 1
        if drops and not inside.all():
            outside = ~inside.reshape(*inside.shape, *(1,) * len(window_axes))
            found = np.where(outside, _fill_value(x.dtype, fill), found)
        order = iter(range(batch_rank))
        window = iter(range(batch_rank, found.ndim))
        return found.transpose(
            [
                next(window) if axis in numbers.offset_dims else next(order)
                for axis in range(found.ndim)
            ]
        )

    return gather


def _take(x: Any, places: Sequence[Any], sizes: Sequence[int]) -> Any:
    """Take numbers at the places that `_places` gives; fast where they are whole rows."""
    if x.ndim > 1 and tuple(sizes[1:]) == x.shape[1:] and sizes[0] == 1:
        rows = places[0]
        if rows.ndim >= x.ndim - 1 and all(
            place.size == size for place, size in zip(places[1:], sizes[1:], strict=True)
        ):
            kept = rows.shape[: rows.ndim - (x.ndim - 1)]
            if rows.size == math.prod(kept):
                return np.take(x, rows.reshape(kept), axis=0)
    return x[tuple(places)]


def _fill_value(dtype: Any, value: Any) -> Any:
    """What a gather gives outside of an array, as `jax.lax.gather` says."""
    if value is not None:
        return np.asarray(value, dtype)
    if np.issubdtype(dtype, np.inexact):
        return np.asarray(np.nan, dtype)
    if np.issubdtype(dtype, np.signedinteger):
        return np.iinfo(dtype).min
    return True if np.dtype(dtype).kind == "b" else np.iinfo(dtype).max


def _scatter(combine: Callable[[Any, Any, Any], None]) -> Rule:
    """Rule of a scatter; `combine` changes an array at indices in place."""

    def rule(params: Mapping[str, Any]) -> Operation:
        numbers, drops = params["dimension_numbers"], _is_dropping(params["mode"])

        def scatter(x: Any, indices: Any, updates: Any) -> Any:
            hidden = {*numbers.inserted_window_dims, *numbers.operand_batching_dims}
            window_axes = [axis for axis in range(x.ndim) if axis not in hidden]
            kept = iter(numbers.update_window_dims)
            sizes = [
                updates.shape[next(kept)] if axis in window_axes else 1 for axis in range(x.ndim)
            ]
            places, inside = _places(
                x.shape,
                indices,
                sizes=sizes,
                index_axes=numbers.scatter_dims_to_operand_dims,
                batch_axes=numbers.operand_batching_dims,
                index_batch_axes=numbers.scatter_indices_batching_dims,
                window_axes=window_axes,
            )
            batch = [axis for axis in range(updates.ndim) if axis not in numbers.update_window_dims]
            updates = updates.transpose(*batch, *numbers.update_window_dims)
            places = [np.broadcast_to(place, updates.shape) for place in places]
            if drops and not inside.all():
                places, updates = [place[inside] for place in places], updates[inside]
            found = np.array(x)
            combine(found, tuple(places), updates)
            return found

        return scatter

    return rule


def _put(x: Any, places: Any, updates: Any) -> None:
    x[places] = updates


_RULES |= {
    "scatter": _scatter(_put),
    "scatter-add": _scatter(np.add.at),
    "scatter-min": _scatter(np.minimum.at),
    "scatter-max": _scatter(np.maximum.at),
    "scatter-mul": _scatter(np.multiply.at),
}


# Calls, loops and branches.


@_rule("jit", "pjit", "closed_call", "custom_jvp_call", "custom_vjp_call")
def _call(params: Mapping[str, Any]) -> Operation:
    for name in ("jaxpr", "call_jaxpr"):
        if name in params:
            return _inner(params[name])
    raise UnsupportedOperationError("no rule computes a call whose parameters have no jaxpr")


def _inner(jaxpr: Any) -> Program:
    return _translate_closed(jaxpr) if hasattr(jaxpr, "consts") else _translate(jaxpr)


@_rule("scan")
def _scan(params: Mapping[str, Any]) -> Operation:
    body, length = _translate_closed(params["jaxpr"]), params["length"]
    num_constants, num_carry = _scan_sizes(params)
    types = [variable.aval for variable in params["jaxpr"].jaxpr.outvars[num_carry:]]
    steps = range(length - 1, -1, -1) if params["reverse"] else range(length)

    def scan(*arrays: Any) -> list[Any]:
        constants = arrays[:num_constants]
        carry = list(arrays[num_constants : num_constants + num_carry])
        inputs = arrays[num_constants + num_carry :]
        outputs = [np.empty((length, *one.shape), one.dtype) for one in types]
        for step in steps:
            found = body(*constants, *carry, *(array[step] for array in inputs))
            carry = found[:num_carry]
            for output, array in zip(outputs, found[num_carry:], strict=True):
                output[step] = array
        return [*carry, *outputs]

    return Composite(scan, _sum_of([body.work], length))


def _scan_sizes(params: Mapping[str, Any]) -> tuple[int, int]:
    """Arrays that all turns of a scan read, and arrays that each turn hands to the next."""
    if "num_consts" in params:
        return params["num_consts"], params["num_carry"]
    constants, carry, _ = params["ft_in"].unpack()  # newer versions of JAX
    return len(list(constants.vals)), len(list(carry.vals))


@_rule("while")
def _while(params: Mapping[str, Any]) -> Operation:
    goes_on, body = _translate_closed(params["cond_jaxpr"]), _translate_closed(params["body_jaxpr"])
    of_condition, of_body = params["cond_nconsts"], params["body_nconsts"]

    def loop(*arrays: Any) -> list[Any]:
        condition_constants = arrays[:of_condition]
        body_constants = arrays[of_condition : of_condition + of_body]
        carry = list(arrays[of_condition + of_body :])
        while goes_on(*condition_constants, *carry)[0]:
            carry = body(*body_constants, *carry)
        return carry

    return Composite(loop, _sum_of([goes_on.work, body.work]))


@_rule("cond")
def _branch(params: Mapping[str, Any]) -> Operation:
    branches = [_translate_closed(branch) for branch in params["branches"]]

    def choose(index: Any, *arrays: Any) -> list[Any]:
        return branches[min(max(int(index), 0), len(branches) - 1)](*arrays)

    return Composite(choose, max(branch.work for branch in branches))


# Random numbers. A key is one unsigned number of 64 bits: its first word, then its second.


def _pack(words: NDArray[np.uint32]) -> Any:
    high, low = words[..., 0].astype(np.uint64), words[..., 1].astype(np.uint64)
    return (high << np.uint64(32)) | low


def _halves(numbers: Any) -> tuple[Any, Any]:
    numbers = np.asarray(numbers, np.uint64)
    return (numbers >> np.uint64(32)).astype(np.uint32), numbers.astype(np.uint32)


def threefry_2x32(keys: Any, counts: Any) -> Any:
    """Threefry-2x32 with 20 rounds (Salmon et al. 2011, "Parallel random numbers").

    Args:
      keys, counts: u64 arrays that broadcast; the two words of each number, the first one high.

    Returns:
      u64 of the broadcast shape.
    """
    first, second = _halves(keys)
    schedule = (first, second, first ^ second ^ np.uint32(0x1BD11BDA))
    x, y = _halves(counts)
    x, y = x + first, y + second
    for group in range(5):
        for turn in ((13, 15, 26, 6), (17, 29, 16, 24))[group % 2]:
            x = x + y
            y = (y << np.uint32(turn)) | (y >> np.uint32(32 - turn))
            y = x ^ y
        x = x + schedule[(group + 1) % 3]
        y = y + schedule[(group + 2) % 3] + np.uint32(group + 1)
    return _pack(np.stack(np.broadcast_arrays(x, y), axis=-1))


def _require_threefry(params: Mapping[str, Any]) -> None:
    is_default = jax.config.jax_threefry_partitionable  # type: ignore[attr-defined]
    _require(is_default, "random numbers with jax_threefry_partitionable=False")
    _require(params["impl"].name == "threefry2x32", "random numbers of another generator")


@_rule("random_wrap")
def _wrap_key(params: Mapping[str, Any]) -> Operation:
    _require_threefry(params)
    return _pack


@_rule("random_unwrap")
def _unwrap_key(params: Mapping[str, Any]) -> Operation:
    return lambda keys: np.stack(_halves(keys), axis=-1)


@_rule("random_seed")
def _seed(params: Mapping[str, Any]) -> Operation:
    _require_threefry(params)
    return lambda seeds: seeds.astype(np.int64).view(np.uint64) & np.uint64(0xFFFFFFFF)


@_rule("random_fold_in")
def _fold_in(params: Mapping[str, Any]) -> Operation:
    return lambda keys, numbers: threefry_2x32(keys, numbers.astype(np.uint64))


@_rule("random_split")
def _split_key(params: Mapping[str, Any]) -> Operation:
    shape = params["shape"]

    def split(keys: Any) -> Any:
        counts = np.arange(math.prod(shape), dtype=np.uint64).reshape(shape)
        return threefry_2x32(np.reshape(keys, (*np.shape(keys), *(1,) * len(shape))), counts)

    return split


@_rule("random_bits")
def _bits(params: Mapping[str, Any]) -> Operation:
    shape = params["shape"]
    _require(params["bit_width"] == 32, "random numbers of other than 32 bits")

    def draw(keys: Any) -> Any:
        counts = np.arange(math.prod(shape), dtype=np.uint64).reshape(shape)
        keys = np.reshape(keys, (*np.shape(keys), *(1,) * len(shape)))
        return np.bitwise_xor(*_halves(threefry_2x32(keys, counts)))

    return draw
