"""The compiled functions of training, shared by trials that differ only in numbers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from lm.backend.data_parallel import first_replica, jit_data_parallel, parallelism
from lm.backend.execution import (
    ExecutionPlan,
    SeldomFunction,
    compiler_options,
    in_precision,
    plan_execution,
)
from lm.config import Config, LossConfig, ModelConfig, OptimizerConfig, TrainConfig
from lm.config.static import static_config
from lm.model import cudnn_lstm
from lm.model.initializers import InitScales, init_scales
from lm.model.language_model import LanguageModel
from lm.model.recurrence import SCANS
from lm.model.types import Params
from lm.optim.lazy_rows import gradient_size
from lm.optim.optimizer import Hyperparameters
from lm.training.heldout import HeldOut, window_losses
from lm.training.metrics import Totals, zero_totals
from lm.training.multi_step import train_lanes, train_steps
from lm.training.randomness import (
    StepRandomness,
    in_chunks,
    presample,
    presample_lanes,
    random_spec,
)
from lm.training.state import StepSpec, TrainState, init_state, state_shapes
from lm.training.step import flush

T = TypeVar("T")


class StaticConfig(NamedTuple):
    """The static choices of a trial; equal ones share compiled code within a process."""

    model: ModelConfig
    loss: LossConfig
    optimizer: OptimizerConfig
    train: TrainConfig
    vocab_size: int


@dataclass(frozen=True, eq=False)
class CompiledFunctions:
    """Functions of a trial; JAX compiles each at its first call.

    Two are equal if they are one object, so that what others compile beside them
    (`compile_beside`) can be cached by them.
    """

    static: StaticConfig
    """Static choices that the functions are compiled for."""
    compute: ExecutionPlan
    """How they compute on this device."""
    lanes_compute: ExecutionPlan
    """How those that take lanes compute on this device."""
    initialize: Callable[[Array, InitScales], TrainState]
    """(key, scales) -> the state before the first update; nothing is compiled for its shapes."""
    shapes: TrainState
    """Shapes and types of a state: `jax.ShapeDtypeStruct` in place of its arrays."""
    presample: Callable[[Array, Array, Array, int], StepRandomness]
    """(streams_lb, key, step, count) -> the random numbers of `count` steps; see
    `lm.training.randomness`."""
    train: Callable[..., tuple[TrainState, Totals]]
    """(state, totals, hyperparameters, streams_lb, randomness, steps) -> the state after `steps`
    steps, replicated (`lm.backend.data_parallel`). The state that goes in is donated."""
    flush: Callable[[TrainState, Hyperparameters, Array], TrainState]
    """(state, hyperparameters, whether it is due) -> the state with all rows up to date: for
    evaluation, and before the hyperparameters change. The state that goes in is donated."""
    evaluate: Callable[[Params, HeldOut], Array]
    """(params, windows) -> summed negative log-likelihood of each window of a held-out text."""
    presample_lanes: Callable[[Array, Array, Array, int], StepRandomness]
    """`presample` for a pack: `key` and `step` have a first axis of lanes."""
    train_lanes: Callable[..., tuple[TrainState, Totals]]
    """`train` for a pack: all but `streams_lb` and `steps` have a first axis of lanes; compiled
    once for each number of them. The recurrence is always a scan: cuDNN's cannot be mapped over
    lanes."""
    flush_lanes: Callable[[TrainState, Hyperparameters, Array], TrainState]
    """`flush` for a pack."""
    evaluate_lanes: Callable[[Params, HeldOut], Array]
    """`evaluate` for a pack's parameters and one text."""

    def advance(
        self,
        state: TrainState,
        hyperparams: Hyperparameters,
        streams_lb: Array,
        key: Array,
        steps: int,
    ) -> tuple[TrainState, Totals]:
        """Take `steps` steps, as `lm.training.multi_step.train_steps` does."""
        *_, last = self.chunks(state, hyperparams, streams_lb, key, steps)
        return last

    def chunks(
        self,
        state: TrainState,
        hyperparams: Hyperparameters,
        streams_lb: Array,
        key: Array,
        steps: int,
    ) -> Iterator[tuple[TrainState, Totals]]:
        """Take `steps` steps in calls of at most `STEPS_PER_CALL`.

        Yields:
          State and totals after each call. A call uses up the state of the one before; the updates
          in its totals are its own.
        """
        totals = zero_totals()
        for count in in_chunks(steps):
            randomness = self.presample(streams_lb, key, first_replica(state.step), count)
            state, totals = self.train(
                state, totals, hyperparams, streams_lb, randomness, jnp.int32(count)
            )
            yield state, totals

    def advance_lanes(
        self,
        state: TrainState,
        totals: Totals,
        hyperparams: Hyperparameters,
        streams_lb: Array,
        keys: Array,
        steps: int,
    ) -> tuple[TrainState, Totals]:
        """Take `steps` steps with each lane of a pack, whose totals go on."""
        for count in in_chunks(steps):
            randomness = self.presample_lanes(streams_lb, keys, state.step, count)
            state, totals = self.train_lanes(
                state, totals, hyperparams, streams_lb, randomness, jnp.int32(count)
            )
        return state, totals

    def compile_beside(
        self,
        function: Callable[..., Any],
        *,
        recurrence: str | None = None,
        seldom: bool = False,
        multiplies: bool = False,
        **options: Any,
    ) -> Any:
        """Compile a function of one's own for these trials: how an observer reads the model.

        Cache what it gives by this object (`functools.lru_cache`), so that trials that share these
        functions share it, too.

        Args:
          function: takes a `StepSpec`, then arrays; it computes in the precision of training.
          recurrence: how the model computes its layers, one of `lm.model.recurrence.SCANS`; None:
            as in training.
          seldom, multiplies: the kind of program, see `lm.backend.execution.compiler_options`.
          options: of `jax.jit`.
        """
        kind = compiler_options(
            seldom=seldom, multiplies=multiplies, precision=self.compute.precision
        )
        traced = self._of_spec(function, recurrence)
        return jax.jit(traced, compiler_options=kind, **options)

    def seldom_beside(self, function: Callable[..., Any], *, recurrence: str) -> SeldomFunction:
        """Make a function of one's own for these trials, as `compile_beside`, that NumPy computes
        where it would take longer to compile it.

        Args:
          function, recurrence: as `compile_beside` takes them.
        """
        return SeldomFunction(self._of_spec(function, recurrence))

    def _of_spec(self, function: Callable[..., Any], recurrence: str | None) -> Callable[..., Any]:
        spec = _step_spec(self.static, recurrence or self.compute.recurrence)
        return in_precision(self.compute.precision, partial(function, spec))


def make_static_config(config: Config, vocab_size: int) -> StaticConfig:
    """Strip what comes in as an array or does not reach the device."""
    code = static_config(config)
    return StaticConfig(
        model=code.model,
        loss=code.loss,
        optimizer=code.optimizer,
        train=replace(code.train, report_every=1),
        vocab_size=vocab_size,
    )


@lru_cache(maxsize=8)
def build_functions(static: StaticConfig) -> CompiledFunctions:
    """Make the functions of all trials with these static choices."""
    plan = partial(
        plan_execution,
        static.model,
        static.train,
        gradient=gradient_size(*static),
        cudnn_available=cudnn_lstm.is_available,
    )
    compute, lanes_compute = plan(), plan(stacked=True)
    parts = static.train.accumulate
    spec = _step_spec(static, compute.recurrence)._replace(
        parallel=parallelism(compute.shards, parts)
    )
    lanes_spec = _step_spec(static, lanes_compute.recurrence)._replace(
        parallel=parallelism(1, parts)
    )
    shapes = state_shapes(spec, partial(_model, static, "scan"), init_scales(static.model))

    def initialize(key: Array, start: InitScales) -> TrainState:
        return init_state(spec, shapes, _model(static, "scan", key, start))

    def in_its_precision(function: Callable[..., T], spec: StepSpec) -> Callable[..., T]:
        return in_precision(compute.precision, partial(function, spec))

    products: dict[str, Any] = {"multiplies": True, "precision": compute.precision}
    multiplies = partial(jax.jit, compiler_options=compiler_options(**products))
    seldom = partial(jax.jit, compiler_options=compiler_options(seldom=True))
    data_parallel = partial(jit_data_parallel, compute.shards)
    return CompiledFunctions(
        static=static,
        compute=compute,
        lanes_compute=lanes_compute,
        initialize=initialize,
        shapes=shapes,
        presample=partial(_presample, static, seldom(presample, static_argnums=0)),
        train=data_parallel(in_its_precision(train_steps, spec), **products),
        flush=data_parallel(partial(flush, spec), seldom=True),
        evaluate=multiplies(in_its_precision(evaluate, spec)),
        presample_lanes=partial(_presample, static, seldom(presample_lanes, static_argnums=0)),
        train_lanes=multiplies(in_its_precision(train_lanes, lanes_spec), donate_argnums=0),
        flush_lanes=seldom(jax.vmap(partial(flush, lanes_spec)), donate_argnums=0),
        evaluate_lanes=multiplies(
            jax.vmap(in_its_precision(evaluate, lanes_spec), in_axes=(0, None))
        ),
    )


def evaluate(spec: StepSpec, params: Params, windows: HeldOut) -> Array:
    """Sum the negative log-likelihoods of each window of a held-out text; f32[W], nats."""
    return window_losses(spec.merge(params), windows)


def _model(static: StaticConfig, recurrence: str, key: Array, start: InitScales) -> LanguageModel:
    rngs = nnx.Rngs(params=key)
    return LanguageModel(
        static.model,
        static.vocab_size,
        rngs=rngs,
        scales=start,
        run_cell=SCANS[recurrence],
    )


def _step_spec(static: StaticConfig, recurrence: str) -> StepSpec:
    make = partial(_model, static, recurrence, start=init_scales(static.model))
    graph = nnx.graphdef(nnx.eval_shape(make, jax.random.key(0)))
    return StepSpec(
        merge=partial(nnx.merge, graph),
        model=static.model,
        loss=static.loss,
        optimizer=static.optimizer,
        train=static.train,
        vocab_size=static.vocab_size,
    )


def _presample(
    static: StaticConfig,
    function: Callable[..., StepRandomness],
    streams_lb: Array,
    *numbers: Array | int,
) -> StepRandomness:
    """Draw what steps on this text need."""
    wanted = random_spec(static.loss, static.train, static.vocab_size, len(streams_lb))
    return function(wanted, *numbers)


def flushed(
    functions: CompiledFunctions, state: TrainState, hyperparams: Hyperparameters
) -> TrainState:
    """Return a state with all rows up to date, as before an evaluation in training.

    Rows are flushed whenever a hyperparameter changes: they missed updates with the last ones.

    Args:
      functions: of the state's program.
      state: of a checkpoint, on the host.
      hyperparams: of the last update.
    """
    if not any((count < state.step).any() for count in state.last_updated.values()):
        return state
    state = jax.device_put(state, may_alias=False)
    return functions.flush(state, hyperparams, jnp.bool_(True))
