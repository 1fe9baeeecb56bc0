"""The compiled functions of a trial, shared by trials that differ only in numbers."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache, partial
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from lm.backend.data_parallel import first_replica, jit_data_parallel, parallelism
from lm.backend.execution import ExecutionPlan, compiler_options, in_precision, plan_execution
from lm.config import Config, LossConfig, ModelConfig, OptimizerConfig, TrainConfig
from lm.config.static import static_config
from lm.generation.decode import DecodeState, SamplingParams, decode, sample, start_decoding
from lm.gradient_flow.itemize import GradientFlow, ItemizeSpec, itemize
from lm.model import cudnn_lstm
from lm.model.initializers import InitScales, init_scales
from lm.model.language_model import LanguageModel
from lm.model.recurrence import SCANS
from lm.model.types import Carry, Params
from lm.monitor.statistics import (
    StepStatistics,
    StepTensors,
    collect,
    collect_statistics,
    summarizes_on_device,
)
from lm.optim.lazy_rows import gradient_size
from lm.optim.optimizer import Hyperparameters
from lm.training.heldout import HeldOut, window_losses, word_losses
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
    """The static choices of a trial; equal keys share compiled code within a process."""

    model: ModelConfig
    loss: LossConfig
    optimizer: OptimizerConfig
    train: TrainConfig
    vocab_size: int


class CompiledFunctions(NamedTuple):
    """Functions of a trial; JAX compiles each at its first call."""

    compute: ExecutionPlan
    """How they do it on this device."""
    lanes_compute: ExecutionPlan
    """How those do it that take lanes."""
    initialize: Callable[[Array, InitScales], TrainState]
    """(key, scales) -> the state before the first update; nothing is compiled for its shapes."""
    shapes: TrainState
    """Of such a state: `jax.ShapeDtypeStruct` in place of its arrays."""
    draw: Callable[[Array, Array, Array, int], StepRandomness]
    """(streams_lb, key, step, count) -> what chance decides about so many steps; see
    `lm.training.randomness`."""
    train: Callable[..., tuple[TrainState, Totals]]
    """(state, totals, hyperparameters, streams_lb, randomness, steps) -> the state after so many
    steps, replicated (`lm.backend.data_parallel`). The one that goes in is donated: its buffers are
    used."""
    flush: Callable[[TrainState, Hyperparameters, Array], TrainState]
    """(state, hyperparameters, whether it is due) -> rows that lag behind are up to date: for
    evaluation, and before the hyperparameters change. The state that goes in is donated."""
    evaluate: Callable[[Params, HeldOut], Array]
    """-> summed negative log-likelihood of each window of a held-out text."""
    probe: Callable[
        [TrainState, Hyperparameters, Array, StepRandomness], StepStatistics | StepTensors
    ]
    """(state, hyperparameters, streams_lb, randomness) -> what goes on inside the next step, of a
    trial or of a pack's lane; on a CPU its arrays."""
    itemise: Callable[
        [ItemizeSpec, TrainState, Hyperparameters, Array, StepRandomness], GradientFlow
    ]
    """(how much, state, hyperparameters, streams_lb, randomness) -> the next step's itemised
    gradients; compiled for each `how much`."""
    sample: Callable[[Params, Array, Array, Array, Array], Array]
    """(params, prompt_pn, uniforms_wn, temperature, words to avoid) -> i32[words, N]; see
    `lm.generation.decode`.
    """
    begin: Callable[[Params, Array], DecodeState]
    """(params, i32[N]) -> texts of one word each."""
    write: Callable[..., tuple[DecodeState, Array, Array]]
    """(params, texts, words given, uniforms, steps, sampling, max_top_k=, scored=) -> the texts
    with more words, these words and their log-probabilities. Compiled for
    each `max_top_k` and `scored`."""
    draw_lanes: Callable[[Array, Array, Array, int], StepRandomness]
    train_lanes: Callable[..., tuple[TrainState, Totals]]
    """The same for a pack: all but `streams_lb`, `count` and `steps` have a first axis of lanes;
    compiled once for each number of them."""
    flush_lanes: Callable[[TrainState, Hyperparameters, Array], TrainState]
    evaluate_lanes: Callable[[Params, HeldOut], Array]
    """The same for a pack's parameters and one text. The recurrence is always a scan: cuDNN's
    cannot be mapped over lanes."""
    read: Callable[[Params, HeldOut, tuple[Carry, ...]], tuple[tuple[Carry, ...], Array, Array]]
    """(parameters, windows, the state before them) -> the state after them, the negative
    log-likelihood of each target and the features that the softmax saw; see `word_losses`."""

    def advance(
        self,
        state: TrainState,
        hyperparams: Hyperparameters,
        streams_lb: Array,
        key: Array,
        steps: int,
    ) -> tuple[TrainState, Totals]:
        """Take so many steps, as `lm.training.multi_step.train_steps`, drawn for as they come."""
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
        """The same, giving what there is after each call; each uses up the state of the one before,
        and has the updates of its own."""
        totals = zero_totals()
        for count in in_chunks(steps):
            randomness = self.draw(streams_lb, key, first_replica(state.step), count)
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
        """The same for a pack, whose totals go on."""
        for count in in_chunks(steps):
            randomness = self.draw_lanes(streams_lb, keys, state.step, count)
            call = (hyperparams, streams_lb, randomness, jnp.int32(count))
            state, totals = self.train_lanes(state, totals, *call)
        return state, totals


def make_static_config(config: Config, vocab_size: int) -> StaticConfig:
    """Strip what comes in as an array or does not reach the device."""
    code = static_config(config)
    train = replace(code.train, report_every=1)
    return StaticConfig(code.model, code.loss, code.optimizer, train, vocab_size)


@lru_cache(maxsize=8)
def build_functions(key: StaticConfig) -> CompiledFunctions:
    """Make a trial's functions."""
    chosen = partial(
        plan_execution,
        key.model,
        key.train,
        gradient=gradient_size(*key),
        cudnn_available=cudnn_lstm.is_available,
    )
    compute, lanes_compute = chosen(), chosen(stacked=True)
    alone = _recipe(key, compute.recurrence)._replace(parallel=parallelism(compute.shards))
    stacked = _recipe(key, lanes_compute.recurrence)
    often = partial(jax.jit, compiler_options=compiler_options())
    multiplies = partial(jax.jit, compiler_options=compiler_options(multiplies=True))
    seldom = partial(jax.jit, compiler_options=compiler_options(seldom=True))
    sharded = partial(jit_data_parallel, compute.shards)
    shapes = state_shapes(alone, partial(_model, key, "scan"), init_scales(key.model))

    def initialize(rng: Array, start: InitScales) -> TrainState:
        return init_state(alone, shapes, _model(key, "scan", rng, start))

    def in_its_precision(function: Callable[..., T], spec: StepSpec) -> Callable[..., T]:
        return in_precision(compute.precision, partial(function, spec))

    statistics = collect_statistics if summarizes_on_device() else collect
    return CompiledFunctions(
        compute,
        lanes_compute,
        initialize,
        shapes,
        partial(draw_for, key, seldom(presample, static_argnums=0)),
        sharded(in_its_precision(train_steps, alone), multiplies=True),
        sharded(partial(flush, alone), seldom=True),
        multiplies(in_its_precision(evaluate, alone)),
        seldom(in_its_precision(statistics, stacked)),
        often(in_its_precision(itemize, stacked), static_argnums=0),
        seldom(in_its_precision(write_sample, stacked)),
        seldom(partial(start_texts, stacked)),
        seldom(in_its_precision(write_on, stacked), static_argnames=("max_top_k", "scored")),
        partial(draw_for, key, seldom(presample_lanes, static_argnums=0)),
        multiplies(in_its_precision(train_lanes, stacked), donate_argnums=0),
        seldom(jax.vmap(partial(flush, stacked)), donate_argnums=0),
        multiplies(jax.vmap(in_its_precision(evaluate, stacked), in_axes=(0, None))),
        multiplies(in_its_precision(read, alone)),
    )


def _model(key: StaticConfig, recurrence: str, rng: Array, start: InitScales) -> LanguageModel:
    rngs = nnx.Rngs(params=rng)
    return LanguageModel(
        key.model, key.vocab_size, rngs=rngs, scales=start, run_cell=SCANS[recurrence]
    )


def draw_for(
    key: StaticConfig, draw: Callable[..., StepRandomness], streams_lb: Array, *call: Array | int
) -> StepRandomness:
    """Draw what a program's steps on this text need."""
    return draw(random_spec(key.loss, key.train, key.vocab_size, len(streams_lb)), *call)


def _recipe(key: StaticConfig, recurrence: str) -> StepSpec:
    make = partial(_model, key, recurrence, start=init_scales(key.model))
    graph = nnx.graphdef(nnx.eval_shape(make, jax.random.key(0)))
    return StepSpec(
        merge=partial(nnx.merge, graph),
        model=key.model,
        loss=key.loss,
        optimizer=key.optimizer,
        train=key.train,
        vocab_size=key.vocab_size,
    )


def evaluate(spec: StepSpec, params: Params, text: HeldOut) -> Array:
    """Summed negative log-likelihood of each window of a held-out text."""
    return window_losses(spec.merge(params), text)


def read(
    spec: StepSpec, params: Params, text: HeldOut, carry: tuple[Carry, ...]
) -> tuple[tuple[Carry, ...], Array, Array]:
    """State, negative log-likelihoods and features of a held-out text, or of a part of it."""
    return word_losses(spec.merge(params), text, carry)


def write_sample(
    spec: StepSpec,
    params: Params,
    prompt_pn: Array,
    uniforms_wn: Array,
    temperature: Array,
    avoid: Array,
) -> Array:
    """Continue a prompt, reading it as the model was trained; i32[words, N]."""
    model, window = spec.merge(params), _window(spec)
    return sample(model, prompt_pn, uniforms_wn, temperature, avoid, window=window)


def start_texts(spec: StepSpec, params: Params, ids_n: Array) -> DecodeState:
    """Texts of one word each."""
    return start_decoding(spec.merge(params), ids_n, window=_window(spec))


def write_on(
    spec: StepSpec,
    params: Params,
    decode_state: DecodeState,
    given_sn: Array,
    uniforms_sn: Array,
    steps: Array,
    sampling: SamplingParams,
    *,
    max_top_k: int | None,
    scored: bool,
) -> tuple[DecodeState, Array, Array]:
    """Add words to texts, reading them as the model was trained."""
    arguments = (spec.merge(params), decode_state, given_sn, uniforms_sn, steps, sampling)
    return decode(*arguments, window=_window(spec), max_top_k=max_top_k, scored=scored)


def _window(spec: StepSpec) -> int | None:
    """Words that the model reads from a zero state before each draw; None: it carries its state."""
    return spec.train.sequence_length if spec.train.predict == "last" else None
