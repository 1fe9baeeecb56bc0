"""Data parallelism: the streams of a batch sharded over devices, all else replicated on them.

A time step of a small recurrence is too little work for two threads. Half of its streams for all
time steps is enough for one, and needs the other half's only once, for the gradient. So the cores
of a processor are JAX devices of their own (`lm.backend.devices.environment`), each takes the
steps of its streams, and once a step all of them add up what theirs gave. Every device has the same
text and the same training state, and makes the same update; no row of a table has to move."""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.flatten_util import ravel_pytree
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from lm.backend.devices import data_parallel
from lm.backend.execution import compiler_options

T = TypeVar("T")

_STREAMS = "streams"
_WHOLE = PartitionSpec()


def shard(x: Array, shards: int, axis: int) -> Array:
    """This device's part of an array, inside `jit_data_parallel`.

    Args:
      x: of all streams.
      shards: devices.
      axis: of the streams.
    """
    if shards == 1:
        return x
    size = x.shape[axis] // shards
    return lax.dynamic_slice_in_dim(x, lax.axis_index(_STREAMS) * size, size, axis)


def all_reduce(means: T, rows: T, shards: int) -> tuple[T, T]:
    """What all devices found, inside `jit_data_parallel`; each waits for the others.

    Args:
      means: a tree of arrays, means over the streams of this device.
      rows: a tree of arrays, whose first axis is these streams.
      shards: devices.

    Returns:
      The means over all streams, and the rows of all.
    """
    if shards == 1:
        return means, rows
    # One sum of one array: to wait for another takes longer than to add up more.
    flat, unflatten = ravel_pytree((means, jax.tree.map(lambda x: _among_zeros(x, shards), rows)))
    sums, rows = unflatten(lax.psum(flat, _STREAMS))
    return jax.tree.map(lambda x: x / shards, sums), rows


def _among_zeros(x: Array, shards: int) -> Array:
    """The rows of this device where all streams have theirs."""
    wide = jnp.zeros((len(x) * shards, *x.shape[1:]), x.dtype)
    return lax.dynamic_update_slice_in_dim(wide, x, lax.axis_index(_STREAMS) * len(x), 0)


def jit_data_parallel(
    shards: int, function: Callable[..., Any], **kind: bool
) -> Callable[..., Any]:
    """Compile a function that each device computes for its shard; the first argument is donated.

    Args:
      shards: devices.
      function: computes on one of them, and calls `shard` and `all_reduce`; of replicated arrays,
        and gives such.
      kind: of program, as for `lm.backend.execution.compiler_options`.
    """
    with data_parallel(shards):
        options = compiler_options(**kind)
    compile_ = partial(jax.jit, donate_argnums=0, compiler_options=options)
    if shards == 1:
        return compile_(function)

    @wraps(function)
    def traced(*arguments: Any) -> Any:
        with data_parallel(shards):
            return function(*arguments)

    # That results are the same on all devices is not checked: the sums make them so.
    mapped = jax.shard_map(
        traced, mesh=_mesh(shards), in_specs=_WHOLE, out_specs=_WHOLE, check_vma=False
    )
    return _Sharded(compile_(mapped), shards)


class _Sharded:
    """A compiled function of replicated arrays, which replicates those that are not."""

    def __init__(self, compiled: Any, shards: int) -> None:
        self._compiled, self._shards = compiled, shards

    def __call__(self, *arguments: Any) -> Any:
        return self._compiled(*replicate(arguments, self._shards))

    def lower(self, *arguments: Any) -> Any:
        """As that of what `jax.jit` gives."""
        return self._compiled.lower(*replicate(arguments, self._shards))


def replicate(tree: T, shards: int) -> T:
    """Arrays on all devices of a data-parallel training; those that are there are not copied."""
    if shards == 1:
        return tree
    placed: T = jax.device_put(tree, NamedSharding(_mesh(shards), _WHOLE))
    return placed


def first_replica(tree: T) -> T:
    """Arrays as the first device has them, for what it computes by itself; nothing is copied."""
    one: T = jax.tree.map(lambda x: x.addressable_data(0), tree)
    return one


def _mesh(shards: int) -> Mesh:
    return Mesh(jax.local_devices()[:shards], (_STREAMS,), axis_types=(AxisType.Auto,))
