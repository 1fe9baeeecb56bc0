"""How a cell runs over a sequence: the plain loop, and faster ways to the same numbers.

Shapes: T time, B batch, E inputs of the layer, H units.
"""

from collections.abc import Callable
from typing import Any

from flax import nnx
from jax import Array, lax

from lm.model.cells import RecurrentCell
from lm.model.cudnn_lstm import run_cudnn_lstm
from lm.model.scan_vjp import (
    CELL_VJPS,
    Residuals,
    scan_with_residuals,
    scan_with_vjp,
    weights_of,
)
from lm.model.types import Carry

Scan = Callable[[Any, Any, Array], tuple[Any, Array]]
"""(cell, carry before the first step, inputs [T, B, E]) -> carry after the last step, outputs
[T, B, H]."""


def scan_cell(cell: nnx.RNNCellBase, carry: Any, x_tbe: Array) -> tuple[Any, Array]:
    """Run any Flax cell over a sequence: the reference, differentiated by JAX.

    Args:
      cell: takes one step, (carry, inputs [B, E]) -> (carry, outputs [B, H]).
      carry: the state before the first step.
      x_tbe: inputs, [T, B, E].

    Returns:
      The carry after the last step, and the outputs, [T, B, H].
    """
    graph, state = nnx.split(cell)

    def step(carry: Any, x_be: Array) -> tuple[Any, Array]:
        carry, outputs = nnx.merge(graph, state)(carry, x_be)
        return carry, outputs

    return lax.scan(step, carry, x_tbe)


def run_cell(cell: nnx.RNNCellBase, carry: Any, x_tbe: Array) -> tuple[Any, Array]:
    """Run a cell over a sequence, by its hand-written backward pass where it has one.

    Arguments and results are those of `scan_cell`.
    """
    vjp = CELL_VJPS.get(type(cell))
    if vjp is None or not isinstance(cell, RecurrentCell):
        return scan_cell(cell, carry, x_tbe)
    return scan_with_vjp(vjp, weights_of(cell), carry, x_tbe)


def run_cell_with_residuals(
    cell: RecurrentCell, carry: Carry, x_tbe: Array
) -> tuple[Carry, Array, Residuals]:
    """Run a cell over a sequence, and return what its backward pass needs of it, too.

    Raises:
      KeyError: the cell has no hand-written backward pass.
    """
    return scan_with_residuals(CELL_VJPS[type(cell)], weights_of(cell), carry, x_tbe)


SCANS: dict[str, Scan] = {"scan": run_cell, "cudnn": run_cudnn_lstm}
"""By `lm.backend.execution.ExecutionPlan.recurrence`."""


def with_recurrent_kernel(cell: nnx.RNNCellBase, kernel: Array) -> Any:
    """Return a copy of a cell that has another recurrent kernel, [H, G*H]."""
    copy: Any = nnx.merge(*nnx.split(cell))
    copy.recurrent_kernel = nnx.Param(kernel)  # not its value, which the copies share
    return copy
