"""Helpers to read jaxprs, JAX's traced computations."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn

from lm.monitor.graph.graph_def import CONSTANT, DTYPES, Constant, TensorSpec


def open_jaxpr(jaxpr: ClosedJaxpr | Jaxpr) -> tuple[Jaxpr, list[Constant]]:
    """Split a closed jaxpr into the jaxpr and its constants."""
    if isinstance(jaxpr, ClosedJaxpr):
        variables = jaxpr.jaxpr.constvars
        return jaxpr.jaxpr, [
            constant(value, variable.aval)
            for value, variable in zip(jaxpr.consts, variables, strict=True)
        ]
    return jaxpr, []


def named_scopes(equation: JaxprEqn) -> Iterator[str]:
    """Named scopes of an equation, without transformations such as `jvp(...)`."""
    for part in str(equation.source_info.name_stack).split("/"):
        if part and "(" not in part:
            yield part


def inner_computation(equation: JaxprEqn) -> ClosedJaxpr | Jaxpr | None:
    """The computation that an equation calls: of a jit, a remat or a custom gradient; else None."""
    for value in equation.params.values():
        if isinstance(value, (ClosedJaxpr, Jaxpr)):
            jaxpr, _ = open_jaxpr(value)
            sizes = len(jaxpr.invars), len(jaxpr.outvars)
            if sizes == (len(equation.invars), len(equation.outvars)):
                return value
    return None


def scan_arity(equation: JaxprEqn) -> tuple[int, int]:
    """Return how many inputs of a scan its steps share, and how many states they hand on.

    The shapes tell it: a step sees an array that is cut into steps, or put together of them, with
    one axis less. The parameters that say so have other names from one version of JAX to the next.
    """
    step, _ = open_jaxpr(equation.params["jaxpr"])
    whole = _count_of_one_rank(equation.invars, step.invars)
    carried = _count_of_one_rank(equation.outvars, step.outvars)
    return whole - carried, carried


def _count_of_one_rank(outer: Sequence[Any], inner: Sequence[Any]) -> int:
    """Count the variables that have as many axes outside of a loop as inside."""
    return sum(a.aval.ndim == b.aval.ndim for a, b in zip(outer, inner, strict=True))


def tensor_spec(aval: Any) -> TensorSpec:
    shape = getattr(aval, "shape", ())
    return TensorSpec(tuple(map(int, shape)), str(getattr(aval, "dtype", "")))


def constant(value: Any, aval: Any) -> Constant:
    tensor = tensor_spec(aval)
    is_number = tensor.shape == () and tensor.dtype in DTYPES
    return Constant(f"{np.asarray(value).item():g}" if is_number else CONSTANT, tensor)
