"""Times of one program: to compile it, make an update, evaluate, save a checkpoint."""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import psutil

from lm.backend.data_parallel import first_replica
from lm.config import Config
from lm.data.dataset import Dataset
from lm.objective import make_callbacks
from lm.optim.optimizer import hyperparameters
from lm.training.checkpoint import Checkpoint, CheckpointManager
from lm.training.metrics import zero_totals
from lm.training.state import TrainState
from lm.training.trainer import Trainer
from sweeps.errors import UserError
from sweeps.tracking import Run

T = TypeVar("T")

SECONDS = 2.0
"""Seconds for the timed updates of a program; evaluation gets a quarter of them."""
CALLS = 8
"""Timed calls, whose median counts: other work on the machine disturbs some."""


class ProgramTimings(NamedTuple):
    """Seconds of each part of a program's work, and bytes of its arrays."""

    start: float
    """To put the text on the device and make a new state."""
    compile: float
    step: float
    """To make one update."""
    valid: float
    """To evaluate the validation split."""
    save: float
    """To write a checkpoint."""
    buffers: float
    """Bytes of its arrays while it trains; 0 where they are on another device than the CPU."""


def time_program(config: Config, dataset: Dataset) -> tuple[ProgramTimings, int]:
    """Run a program for a few seconds; also return the process's largest resident bytes.

    Raises:
      UserError: the model does not fit into memory.
    """
    try:
        return _measure(config, dataset)
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        model, train = config.model, config.train
        raise UserError(
            f"a trial with model.rnn_size={model.rnn_size}, model.layers={model.layers} and "
            f"train.batch_size={train.batch_size} does not fit into memory; make one of them less."
        ) from error


def resident() -> int:
    """Return the bytes of memory that this process holds."""
    return int(psutil.Process().memory_info().rss)


def _measure(config: Config, dataset: Dataset) -> tuple[ProgramTimings, int]:
    laid_out, trainer = _timed(lambda: Trainer(config, dataset))
    first, state = _timed(trainer.start)
    again, state = _timed(trainer.start)
    # Compiled ahead for the sizes that it reports; the calls after this use the same code.
    values = hyperparameters(config, 0)
    draws = trainer.functions.presample(trainer.streams_lb, trainer.train_key, state.step, 0)
    steps = (state, zero_totals(), values, trainer.replicated_lb, draws, jnp.int32(0))
    held_out = trainer.held_out["valid"]
    compiled, (train, evaluate) = _timed(
        lambda: [
            trainer.functions.train.lower(*steps).compile(),  # type: ignore[attr-defined]
            trainer.functions.evaluate.lower(first_replica(state.params), held_out).compile(),  # type: ignore[attr-defined]
        ]
    )
    called, state = _timed(lambda: _compile(trainer, dataset, state))
    state, step = _time_steps(trainer, state)
    valid = _time_evaluation(trainer, state)
    trained = resident()
    save = _time_save(Checkpoint(state=state, hyperparams=hyperparameters(config, 0)))
    timings = ProgramTimings(
        start=laid_out + again,
        compile=max(0.0, first - again) + compiled + called,
        step=step,
        valid=valid,
        save=save,
        buffers=_buffers(train, evaluate, trainer),
    )
    return timings, max(trained, resident())


def _compile(trainer: Trainer, dataset: Dataset, state: TrainState) -> TrainState:
    """Compile what a trial compiles, its callbacks' functions included."""
    state, _ = trainer.compile(state)
    # A run that is never entered: nothing is shown.
    run = Run(Path(), metric=trainer.config.sweep.metric, mode="min")
    for callback in make_callbacks(trainer, dataset, run):
        callback.compile(state)
    return state


def _time_steps(trainer: Trainer, state: TrainState) -> tuple[TrainState, float]:
    """Return seconds of an update, reports included; with learning rate 0 nothing can diverge."""
    values = hyperparameters(trainer.config, 0)._replace(learning_rate=jnp.float32(0))

    def run(count: int) -> int:
        nonlocal state
        call = (values, trainer.replicated_lb, trainer.train_key, count)
        state, totals = trainer.functions.advance(state, *call)
        return max(1, int(totals.steps))

    most = min(trainer.config.train.report_every, trainer.steps_per_epoch)
    seconds = _seconds_each(run, most, SECONDS)
    return state, seconds


def _time_evaluation(trainer: Trainer, state: TrainState) -> float:
    text, params = trainer.held_out["valid"], first_replica(state.params)

    def run(count: int) -> int:
        part = text._replace(windows=jnp.int32(count))
        jax.block_until_ready(trainer.functions.evaluate(params, part))
        return count

    windows = int(text.windows)
    return windows * _seconds_each(run, windows, SECONDS / 4)


def _seconds_each(run: Callable[[int], int], most: int, seconds: float) -> float:
    """Return the median time of one piece of work; `run(count)` does up to `most` of them.

    The first call is not counted, for it is the one that allocates.
    """
    run(1)
    once, _ = _timed(lambda: run(1))
    count = min(most, max(1, round(seconds / CALLS / once)))
    times = [once] if count == 1 else []
    end = time.perf_counter() + seconds
    while len(times) < CALLS and (not times or time.perf_counter() < end):
        spent, done = _timed(lambda: run(count))
        times.append(spent / done)
    return statistics.median(times)


def _time_save(checkpoint: Checkpoint) -> float:
    """Return seconds of a checkpoint: the mean of the first, which prepares much, and a second."""
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = CheckpointManager(Path(folder))
        spent, _ = _timed(lambda: checkpoints.save(checkpoint))
        state = checkpoint.state
        later = checkpoint._replace(state=state._replace(step=state.step + 1))
        return (spent + _timed(lambda: checkpoints.save(later))[0]) / 2


def _buffers(train: Any, evaluate: Any, trainer: Trainer) -> float:
    """Return bytes of all arrays: of the function that takes more, and of the held-out texts."""
    if jax.devices()[0].platform != "cpu":
        return 0.0
    shards = trainer.functions.compute.shards  # each device has arrays of its own
    most = max(shards * _bytes(train), _bytes(evaluate))
    texts = jax.tree.leaves(list(trainer.held_out.values()))
    return float(most + sum(leaf.nbytes for leaf in texts))


def _bytes(compiled: Any) -> int:
    """Return bytes of a compiled function's arrays on one device; 0 where that is not known."""
    if (sizes := compiled.memory_analysis()) is None:
        return 0
    size: int = (
        sizes.argument_size_in_bytes
        + sizes.output_size_in_bytes
        - sizes.alias_size_in_bytes
        + sizes.temp_size_in_bytes
    )
    return size


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    began = time.perf_counter()
    result = jax.block_until_ready(work())
    return time.perf_counter() - began, result
