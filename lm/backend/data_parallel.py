"""Data parallelism: the streams of a batch sharded over devices, all else replicated on them.

A time step of a small recurrence is too little work for two threads. Half of its streams for all
time steps is enough for one, and needs the other half's only once, for the gradient. So the cores
of a processor are JAX devices of their own (`lm.backend.devices.environment`), each takes the
steps of its streams, and once a step all of them add up what theirs gave. Every device has the same
text and the same training state, and makes the same update; no row of a table has to move."""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, NamedTuple, TypeVar

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


LossFn = Callable[[Any, Any, Any], tuple[Array, tuple[Array, Any]]]
"""(params, carry, batch) -> what is minimised, and with it the loss that is reported and the carry
after the batch."""


class SingleDevice(NamedTuple):
    """Computes a gradient on one device: `jax.value_and_grad`."""

    def value_and_grad(
        self, loss_fn: LossFn, params: Any, carry: Any, batch: Any, stream_axes: Any
    ) -> tuple[Array, Any, Any]:
        """Differentiate a loss with respect to the parameters.

        Args:
          loss_fn: the loss.
          params: a tree of arrays.
          carry: a tree of arrays, whose first axis are the streams.
          batch: a tree of arrays.
          stream_axes: a tree of the batch's structure: axis of the streams in each array, or -1.

        Returns:
          The loss, the carry after the batch, and the gradient with respect to `params`.
        """
        gradient = jax.value_and_grad(loss_fn, has_aux=True)
        (_, (loss, carry)), grads = gradient(params, carry, batch)
        return loss, carry, grads


class Accumulated(NamedTuple):
    """Computes on one device, a part of the streams after the other, what `SingleDevice` gives.

    The activations of one part are in memory at a time.
    """

    parts: int

    def value_and_grad(
        self, loss_fn: LossFn, params: Any, carry: Any, batch: Any, stream_axes: Any
    ) -> tuple[Array, Any, Any]:
        """Differentiate a loss; arguments and results are those of `SingleDevice`."""

        def add(sums: Any, number: Array) -> tuple[Any, Any]:
            part = partial(_part, self.parts, number)
            loss, after, grads = SingleDevice().value_and_grad(
                loss_fn,
                params,
                jax.tree.map(lambda x: part(x, 0), carry),
                jax.tree.map(part, batch, stream_axes),
                stream_axes,
            )
            return jax.tree.map(jnp.add, sums, (loss, grads)), after

        zeros = jnp.float32(0), jax.tree.map(jnp.zeros_like, params)
        sums, carries = lax.scan(add, zeros, jnp.arange(self.parts))
        loss, grads = jax.tree.map(lambda x: x / self.parts, sums)
        return loss, jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), carries), grads


class DataParallel(NamedTuple):
    """Computes on several devices, inside `jit_data_parallel`, what `SingleDevice` gives.

    Each device reads its part of the streams; what they found is summed up once.
    """

    n_devices: int
    each: SingleDevice | Accumulated = SingleDevice()
    """How a device computes its part."""

    def value_and_grad(
        self, loss_fn: LossFn, params: Any, carry: Any, batch: Any, stream_axes: Any
    ) -> tuple[Array, Any, Any]:
        """Differentiate a loss; arguments and results are those of `SingleDevice`."""
        carry = jax.tree.map(lambda x: self._shard(x, 0), carry)
        batch = jax.tree.map(self._shard, batch, stream_axes)
        loss, carry, grads = self.each.value_and_grad(loss_fn, params, carry, batch, stream_axes)
        (loss, grads), carry = self._all_reduce((loss, grads), carry)
        return loss, carry, grads

    def _shard(self, x: Array, axis: int) -> Array:
        """Take this device's part of an array along an axis; all of it where that is -1."""
        return _part(self.n_devices, lax.axis_index(_STREAMS), x, axis)

    def _all_reduce(self, means: T, rows: T) -> tuple[T, T]:
        """Combine what all devices found; each waits for the others.

        Args:
          means: a tree of arrays, means over the streams of this device.
          rows: a tree of arrays, whose first axis is these streams.

        Returns:
          The means over all streams, and the rows of all.
        """
        # One sum of one array: to wait for another takes longer than to add up more.
        flat, unflatten = ravel_pytree((means, jax.tree.map(self._among_zeros, rows)))
        sums, rows = unflatten(lax.psum(flat, _STREAMS))
        return jax.tree.map(lambda x: x / self.n_devices, sums), rows

    def _among_zeros(self, x: Array) -> Array:
        """The rows of this device at their place among those of all streams, the rest zero."""
        wide = jnp.zeros((len(x) * self.n_devices, *x.shape[1:]), x.dtype)
        return lax.dynamic_update_slice_in_dim(wide, x, lax.axis_index(_STREAMS) * len(x), 0)


Parallelism = SingleDevice | Accumulated | DataParallel


def parallelism(n_devices: int, parts: int = 1) -> Parallelism:
    """Choose how a gradient is computed on `n_devices` devices, by each in so many parts."""
    each = SingleDevice() if parts == 1 else Accumulated(parts)
    return each if n_devices == 1 else DataParallel(n_devices=n_devices, each=each)


def _part(parts: int, number: Array, x: Array, axis: int) -> Array:
    """One of equal parts of an array along an axis; all of it where that is -1."""
    if axis < 0:
        return x
    size = x.shape[axis] // parts
    return lax.dynamic_slice_in_dim(x, number * size, size, axis)


def jit_data_parallel(shards: int, function: Callable[..., Any], **kind: Any) -> Callable[..., Any]:
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
        """Lower the function for these arguments, as `jax.jit(...).lower` does."""
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
