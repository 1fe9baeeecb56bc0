"""A batch whose streams are shared out over devices, which have all else as a whole.

A time step of a small recurrence is too little work for two threads. Half of its streams for all
time steps is enough for one, and needs the other half's only once, for the gradient. So the cores
of a processor are JAX devices of their own (`lm.devices.environment`), each takes the steps of its
streams, and after each step all of them add up what theirs gave. Every device has the same text and
the same training state, and makes the same update; no row of a table has to move.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.flatten_util import ravel_pytree
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from lm.compute import compiler_options

T = TypeVar("T")

_STREAMS = "streams"
_WHOLE = PartitionSpec()


def own(x: Array, shares: int, axis: int) -> Array:
    """The part of this device, inside `compile_shared`.

    Args:
      x: of all streams.
      shares: devices that share them.
      axis: of the streams.
    """
    if shares == 1:
        return x
    size = x.shape[axis] // shares
    return lax.dynamic_slice_in_dim(x, lax.axis_index(_STREAMS) * size, size, axis)


def joined(means: T, rows: T, shares: int) -> tuple[T, T]:
    """What all devices have together, inside `compile_shared`; each waits for the others.

    Args:
      means: a tree of arrays, means over the streams of this device.
      rows: a tree of arrays, whose first axis is these streams.
      shares: devices.

    Returns:
      The means over all streams, and the rows of all.
    """
    if shares == 1:
        return means, rows
    # One sum of one array: each that devices wait for takes them longer than adding it up.
    flat, unflatten = ravel_pytree((means, jax.tree.map(lambda x: _among_zeros(x, shares), rows)))
    sums, rows = unflatten(lax.psum(flat, _STREAMS))
    return jax.tree.map(lambda x: x / shares, sums), rows


def _among_zeros(x: Array, shares: int) -> Array:
    """The rows of this device where all streams have theirs."""
    wide = jnp.zeros((len(x) * shares, *x.shape[1:]), x.dtype)
    return lax.dynamic_update_slice_in_dim(wide, x, lax.axis_index(_STREAMS) * len(x), 0)


def compile_shared(shares: int, function: Callable[..., Any], **kind: bool) -> Callable[..., Any]:
    """Compile a function that devices compute together; the first argument is donated.

    Args:
      shares: devices.
      function: computes on one of them, and calls `own` and `joined`.
      kind: of program, as for `lm.compute.compiler_options`.
    """
    options = compiler_options(shares=shares, **kind)
    compile_ = partial(jax.jit, donate_argnums=0, compiler_options=options)
    if shares == 1:
        return compile_(function)
    # That results are the same everywhere is not checked: the sums make them so.
    spread = jax.shard_map(
        function, mesh=_mesh(shares), in_specs=_WHOLE, out_specs=_WHOLE, check_vma=False
    )
    return _Shared(compile_(spread), shares)


class _Shared:
    """A compiled function of devices, whose arguments need not be on all of them."""

    def __init__(self, compiled: Any, shares: int) -> None:
        self._compiled, self._shares = compiled, shares

    def __call__(self, *arguments: Any) -> Any:
        return self._compiled(*everywhere(arguments, self._shares))

    def lower(self, *arguments: Any) -> Any:
        """As that of what `jax.jit` gives."""
        return self._compiled.lower(*everywhere(arguments, self._shares))


def everywhere(tree: T, shares: int) -> T:
    """Arrays on all devices that share a batch; those that are there already are not copied."""
    if shares == 1:
        return tree
    placed: T = jax.device_put(tree, NamedSharding(_mesh(shares), _WHOLE))
    return placed


def of_one(tree: T) -> T:
    """Arrays as the first device has them, for what it computes alone; nothing is copied."""
    one: T = jax.tree.map(lambda x: x.addressable_data(0), tree)
    return one


def _mesh(shares: int) -> Mesh:
    return Mesh(jax.local_devices()[:shares], (_STREAMS,), axis_types=(AxisType.Auto,))
