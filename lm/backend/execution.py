"""How a program runs on the device at hand: recurrence, precision, sharding, compiler options.

Every choice that depends on the device is made here.
"""

import logging
from collections.abc import Callable
from functools import cache, partial, wraps
from typing import Any, NamedTuple, TypeVar

import jax

from lm.backend import bfloat16
from lm.backend.devices import has_one_thread, prefers_eigen
from lm.backend.numpy_interpreter import Interpreted, UnsupportedOperationError
from lm.config import ModelConfig, TrainConfig

log = logging.getLogger(__name__)

T = TypeVar("T")

Options = dict[str, bool | int | str]
"""Options of XLA's compiler by name."""
ONE_PART: Options = {"xla_cpu_parallel_codegen_split_count": 1}
EIGEN: Options = {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_REDUCE"}
"""YNNPACK computes sums and maxima only; matrix products stay with Eigen."""
O2: Options = {"xla_backend_optimization_level": 2}
"""Compiles faster than level 3, the default, and the program is as fast."""
QUICK: Options = {"xla_cpu_use_fusion_emitters": False, "xla_backend_optimization_level": 1}
"""Compiles in half the time; the program may be slower."""

MIN_STREAMS_PER_SHARD, MIN_TOKENS_PER_SHARD = 8, 128
"""Smallest shard of a batch: with fewer streams the products of a time step were slow, with fewer
tokens devices waited for each other for longer than they computed."""
MAX_GRADIENT_PER_TOKEN = 2500
"""Largest gradient that is worth sharding, in numbers for each token of a batch: to add up a larger
one over the devices can take longer than sharding saves."""


class ExecutionPlan(NamedTuple):
    """How a program runs; recorded with every trial."""

    recurrence: str
    """`scan`: our own loop over time. `cudnn`: the LSTM of NVIDIA's library."""
    precision: str
    """Precision of matrix products: `float32` or `bfloat16`."""
    shards: int = 1
    """Devices that the streams of a batch are sharded over, `lm.backend.data_parallel`."""

    def describe(self) -> str:
        """One line for the log."""
        parallel = f", data-parallel over {self.shards} devices" if self.shards > 1 else ""
        return f"{self.recurrence} recurrence, {self.precision}{parallel}"


def plan_execution(
    model: ModelConfig,
    train: TrainConfig,
    *,
    gradient: int,
    cudnn_available: Callable[[], bool],
    stacked: bool = False,
) -> ExecutionPlan:
    """Choose how to run on the device that JAX uses.

    Args:
      model: the options that say which cell.
      train: the options that say which precision, and how many tokens a step reads.
      gradient: numbers in the gradient of a step.
      cudnn_available: says whether cuDNN's LSTM works here; called only where it would be used.
      stacked: whether the program trains several trials side by side.
    """
    platform = jax.default_backend()
    fits = model.cell == "lstm" and train.precision == "float32" and not stacked
    by_cudnn = fits and platform == "gpu" and cudnn_available()
    shards = _shards(train, gradient) if platform == "cpu" and not stacked else 1
    recurrence = "cudnn" if by_cudnn else "scan"
    return ExecutionPlan(recurrence=recurrence, precision=train.precision, shards=shards)


def _shards(train: TrainConfig, gradient: int) -> int:
    """Number of devices over which it pays to shard a batch."""
    streams, tokens = train.batch_size, train.batch_size * train.sequence_length
    if gradient > MAX_GRADIENT_PER_TOKEN * tokens:
        return 1
    most = min(
        jax.local_device_count(), streams // MIN_STREAMS_PER_SHARD, tokens // MIN_TOKENS_PER_SHARD
    )
    return next((count for count in range(most, 1, -1) if streams % count == 0), 1)


def in_precision(precision: str, function: Callable[..., T]) -> Callable[..., T]:
    """Wrap a function so that its matrix products have a precision.

    Args:
      precision: `bfloat16` rounds the operands of a product; sums, parameters and all other arrays
        stay float32. `float32` is JAX's default for float32 arrays.
      function: a function to be traced.
    """
    if precision == "float32":
        return function
    bfloat16.cast_factors()

    @wraps(function)
    def traced(*arguments: Any, **choices: Any) -> T:
        with jax.default_matmul_precision(bfloat16.ALGORITHM):
            return function(*arguments, **choices)

    return traced


def compiler_options(
    *, seldom: bool = False, multiplies: bool = False, precision: str = "float32"
) -> Options:
    """Options for XLA's compiler on a CPU, as far as this version of it knows them.

    With one thread the code is one part: code in many parts, which are compiled side by side, took
    a tenth longer to run.

    Args:
      seldom: the program runs seldom, so that compiling it takes longer than running it.
      multiplies: the program runs often, and spends most of its time in matrix products.
      precision: of these products. Eigen has no fast ones of bfloat16 factors.
    """
    wanted = _wanted_options(seldom, multiplies, precision)
    refused = _refused_options() if wanted else ()
    return {name: value for name, value in wanted.items() if name not in refused}


def refused_options() -> list[str]:
    """Return the options that programs would have here and this version of XLA does not know."""
    wanted = _wanted_options(seldom=True, multiplies=True, precision="float32")
    return sorted(_refused_options() & wanted.keys()) if wanted else []


def _wanted_options(seldom: bool, multiplies: bool, precision: str) -> Options:
    if jax.default_backend() != "cpu":
        return {}
    by_eigen = multiplies and precision == "float32" and prefers_eigen()
    return {
        **(ONE_PART if has_one_thread() else {}),
        **(O2 if multiplies else {}),
        **(EIGEN if by_eigen else {}),
        **(QUICK if seldom else {}),
    }


class SeldomFunction:
    """A function that runs so seldom that compiling it would take longer than running it.

    On a CPU NumPy computes it (`lm.backend.numpy_interpreter`), where that is little work and all
    of its operations are known there. Else it is compiled. Results are arrays of NumPy or of JAX,
    and may share memory with arguments.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        """Take a function as `jax.jit` does, without static arguments."""
        options = compiler_options(seldom=True)
        self._name = _name(function)
        self._compiled: Callable[..., Any] = jax.jit(function, compiler_options=options)
        self._interpreted = Interpreted(function)

    def __call__(self, *arguments: Any) -> Any:
        """Compute the function."""
        is_interpreted = self._is_interpreted(arguments)
        return self._interpreted(*arguments) if is_interpreted else self._compiled(*arguments)

    def prepare(self, *arguments: Any) -> None:
        """Compile it for arguments like these, where it is compiled, by computing it once."""
        if not self._is_interpreted(arguments):
            self._compiled(*arguments)

    def _is_interpreted(self, arguments: tuple[Any, ...]) -> bool:
        if jax.default_backend() != "cpu":
            return False
        try:
            return self._interpreted.work(*arguments).is_little
        except UnsupportedOperationError as error:
            log.debug("%s is compiled: %s.", self._name, error)
            return False


def _name(function: Callable[..., Any]) -> str:
    while isinstance(function, partial):
        function = function.func
    return getattr(function, "__name__", str(function))


@cache
def _refused_options() -> frozenset[str]:
    """Names of the options that this version of XLA does not know."""
    every = ONE_PART | EIGEN | O2 | QUICK
    if _takes(every):
        return frozenset()
    # XLA refuses all options when it does not know one of them.
    return frozenset(name for name, value in every.items() if not _takes({name: value}))


def _takes(options: Options) -> bool:
    try:
        jax.jit(lambda x: x + 1, compiler_options=options)(0)
    except jax.errors.JaxRuntimeError:
        return False
    return True
