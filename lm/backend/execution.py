"""How a program computes on the device that there is: the one place where that is chosen."""

import logging
from collections.abc import Callable
from functools import cache, wraps
from typing import Any, NamedTuple, TypeVar

import jax

from lm.backend.devices import has_one_thread, prefers_eigen
from lm.config.schema import ModelConfig, TrainConfig
from lm.model import cudnn_lstm
from sweeps.errors import UserError

log = logging.getLogger(__name__)

T = TypeVar("T")

Options = dict[str, bool | int | str]
"""Of XLA's compiler."""
ONE_PART: Options = {"xla_cpu_parallel_codegen_split_count": 1}
EIGEN: Options = {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_REDUCE"}
"""YNNPACK takes sums and maxima alone, and leaves matrix products to Eigen."""
O2: Options = {"xla_backend_optimization_level": 2}
"""Compiles in less time than 3, the default, for a program that is as fast."""
QUICK: Options = {"xla_cpu_use_fusion_emitters": False, "xla_backend_optimization_level": 1}
"""Compiles in half the time, for a program that may be slower."""

STREAMS, WORDS = 8, 128
"""Least of a batch in a shard: with fewer streams the products of a time step were slow, with fewer
words devices waited for each other for longer than they computed."""
NUMBERS = 2500
"""Most of a gradient, for each word of a batch: with more, to add up gradients can take longer than
is gained in computing them."""


class Compute(NamedTuple):
    """What the choices are; recorded with every trial."""

    recurrence: str
    """`scan`: `lm.model.recurrence`. `cudnn`: NVIDIA's LSTM, `lm.model.cudnn_lstm`."""
    precision: str
    """Of matrix products: `float32` or `bfloat16`."""
    shards: int = 1
    """Devices that the streams of a batch are sharded over, `lm.backend.data_parallel`."""

    def told(self) -> str:
        """The choices, for the log."""
        parallel = f", data-parallel over {self.shards} devices" if self.shards > 1 else ""
        return f"{self.recurrence} recurrence, {self.precision}{parallel}"


def choose(
    model: ModelConfig, train: TrainConfig, *, gradient: int, stacked: bool = False
) -> Compute:
    """Choose for the device that JAX computes on.

    Args:
      model: its cell.
      train: its precision, and how much a step reads.
      gradient: numbers in that of a step.
      stacked: whether several trials compute side by side in one program.

    Raises:
      UserError: the precision is none of this device's.
    """
    platform = jax.default_backend()
    if train.precision == "bfloat16" and platform == "cpu":
        raise UserError(
            "train.precision=bfloat16 is for GPUs and TPUs; on this CPU take "
            "train.precision=float32."
        )
    fits = model.cell == "lstm" and train.precision == "float32" and not stacked
    by_cudnn = fits and platform == "gpu" and cudnn_lstm.works()
    shards = _shards(train, gradient) if platform == "cpu" and not stacked else 1
    return Compute("cudnn" if by_cudnn else "scan", train.precision, shards)


def _shards(train: TrainConfig, gradient: int) -> int:
    """Devices over which it pays to shard a batch."""
    streams, words = train.batch_size, train.batch_size * train.sequence_length
    if gradient > NUMBERS * words:
        return 1
    most = min(jax.local_device_count(), streams // STREAMS, words // WORDS)
    return next((count for count in range(most, 1, -1) if streams % count == 0), 1)


def in_precision(precision: str, function: Callable[..., T]) -> Callable[..., T]:
    """The function, whose matrix products are computed in this precision.

    bfloat16: operands are rounded to it, sums are kept in float32, and so are parameters and all
    other arrays. float32: as JAX computes it by default, on recent NVIDIA GPUs with factors of
    TensorFloat-32.
    """
    if precision == "float32":
        return function

    @wraps(function)
    def traced(*arguments: Any, **choices: Any) -> T:
        with jax.default_matmul_precision("BF16_BF16_F32"):
            return function(*arguments, **choices)

    return traced


def texts_at_once() -> int:
    """Texts that are written side by side, whatever their number: rounding depends on it.

    On a CPU a single text has its words as quickly as a reader could wish, and many take a fifth
    more time than with as many as fit; on a GPU a batch this wide takes the time of one text.
    """
    return 16 if jax.default_backend() == "cpu" else 256


def tells_on_device() -> bool:
    """Whether a look inside is summed up where it was computed: a CPU's arrays can be read by
    anyone, and need no program for it."""
    return jax.default_backend() != "cpu"


def compiler_options(*, seldom: bool = False, multiplies: bool = False) -> Options:
    """Options of XLA's compiler on a CPU; without those that this version of it does not know.

    With one thread the code is one part: in many, to be compiled side by side, it takes a tenth
    longer.

    Args:
      seldom: the program runs seldom, so that compiling it takes longer than running it.
      multiplies: most of what it does, and often, is products of matrices.
    """
    if jax.default_backend() != "cpu":
        return {}
    wanted = {
        **(ONE_PART if has_one_thread() else {}),
        **(O2 if multiplies else {}),
        **(EIGEN if multiplies and prefers_eigen() else {}),
        **(QUICK if seldom else {}),
    }
    return {name: value for name, value in wanted.items() if _takes_option(name, value)}


@cache
def _takes_option(name: str, value: bool | int | str) -> bool:
    """Whether this version of XLA knows it; each is asked for by itself, since one that is unknown
    has all refused."""
    try:
        jax.jit(lambda x: x + 1, compiler_options={name: value})(0)
    except jax.errors.JaxRuntimeError:
        log.debug("XLA's compiler does not take %s=%s.", name, value)
        return False
    return True
