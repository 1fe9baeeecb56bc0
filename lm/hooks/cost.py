"""What trials will take: the measured times of each program, times the work of each trial.

Call `estimate` in a process that has the environment of a trial, set before JAX is imported
(`lm.backend.devices.environment`): times depend on the number of threads.
"""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from lm.backend.compile_cache import use_cache
from lm.config import Config, DataConfig, parse_config
from lm.data.dataset import Dataset, load_dataset
from lm.hooks.timing import ProgramTimings, resident, time_program
from lm.training.functions import StaticConfig, make_static_config
from lm.training.state import count_parameters
from lm.training.trainer import Trainer
from sweeps.plan import Cost

MEASURED = 6
"""Programs that are compiled and timed."""


@dataclass(frozen=True)
class MeasuredProgram:
    """Compiled code, and a configuration and a text to run it with."""

    name: str
    """Hash of everything that compilation depends on."""
    config: Config
    dataset: Dataset
    load_seconds: float
    """Reading the text, and setting up the model for the first time."""
    parameters: int
    steps_per_epoch: int
    words_per_step: int
    checkpoint_bytes: int
    test_share: float
    """Windows of the test split for each window of the validation split."""

    @property
    def size(self) -> float:
        """Parameters times words per update: what an update's arithmetic grows with."""
        return float(self.parameters * self.words_per_step)


def estimate(configs: Sequence[Mapping[str, Any]]) -> list[Cost]:
    """Parameters, seconds and memory of each configuration, as if it had the machine to itself.

    Configurations that differ only in numbers share a program, which is measured once. Of more than
    six programs, six are measured: evenly spread over all, sorted by parameters times words per
    update. What the others take is interpolated linearly between the logarithms of their neighbours
    in that order. Memory is what this process holds at first, plus a program's buffers, plus what
    the smallest program took beyond its own while it was measured: text, compiler and libraries.

    Raises:
      UserError: a configuration or its text is bad, or a measured model does not fit into memory.
    """
    use_cache()
    jax.devices()  # starts the device's client, as every trial does
    before = resident()
    trials = [parse_config(raw_config) for raw_config in configs]
    programs = _programs(trials)
    known: list[tuple[MeasuredProgram, ProgramTimings]] = []
    overhead = 0.0
    for program in spread(list({program.name: program for program in programs}.values())):
        timings, after = time_program(program.config, program.dataset)
        if not known:
            overhead = max(0.0, after - before - timings.buffers)
        known.append((program, timings))
    return [
        _cost(config, program, interpolate(known, program), before + overhead)
        for config, program in zip(trials, programs, strict=True)
    ]


def spread(programs: Sequence[MeasuredProgram]) -> list[MeasuredProgram]:
    """Return the programs that are measured, the smallest first."""
    ordered = sorted(programs, key=lambda program: program.size)
    if len(ordered) <= MEASURED:
        return ordered
    places = np.linspace(0, len(ordered) - 1, MEASURED).round()
    return [ordered[int(place)] for place in places]


def interpolate(
    known: Sequence[tuple[MeasuredProgram, ProgramTimings]], program: MeasuredProgram
) -> ProgramTimings:
    """Return what a program takes, as measured or from those next to it in size."""
    for one, timings in known:
        if one.name == program.name:
            return timings
    sizes = sorted({one.size for one, _ in known})
    logs = [
        np.mean(
            [np.log(np.maximum(timings, 1e-9)) for one, timings in known if one.size == size], 0
        )
        for size in sizes
    ]
    columns = np.transpose(logs)
    values = [np.interp(np.log(program.size), np.log(sizes), column) for column in columns]
    return ProgramTimings(*(float(np.exp(value)) for value in values))


def _programs(trials: Sequence[Config]) -> list[MeasuredProgram]:
    """Return the program of each trial; trials that share one have the same object."""
    texts: dict[str, tuple[Dataset, float]] = {}
    found: dict[tuple[str, StaticConfig], MeasuredProgram] = {}
    programs = []
    for config in trials:
        data = repr(config.data)
        if data not in texts:
            texts[data] = _load(config.data)
        dataset, seconds = texts[data]
        key = make_static_config(config, len(dataset.vocabulary))
        if (data, key) not in found:
            found[data, key] = _program(key, config, dataset, seconds)
        programs.append(found[data, key])
    return programs


def _load(config: DataConfig) -> tuple[Dataset, float]:
    began = time.perf_counter()
    dataset = load_dataset(config)
    return dataset, time.perf_counter() - began


def _program(
    key: StaticConfig, config: Config, dataset: Dataset, load_seconds: float
) -> MeasuredProgram:
    began = time.perf_counter()
    trainer = Trainer(config, dataset)
    parameters = count_parameters(trainer.functions.shapes.params)
    state = jax.tree.leaves(trainer.functions.shapes)
    valid, test = trainer.held_out["valid"], trainer.held_out.get("test")
    shapes = jax.tree.map(np.shape, (trainer.streams_lb, valid))
    return MeasuredProgram(
        name=hashlib.sha256(repr((key, shapes)).encode()).hexdigest()[:12],
        config=config,
        dataset=dataset,
        # The first trace of a model costs what the timings, of a second one, do not have.
        load_seconds=load_seconds + time.perf_counter() - began,
        parameters=parameters,
        steps_per_epoch=trainer.steps_per_epoch,
        words_per_step=trainer.words_per_step,
        checkpoint_bytes=sum(leaf.size * leaf.dtype.itemsize for leaf in state),
        test_share=int(test.windows) / int(valid.windows) if test else 0.0,
    )


def _cost(config: Config, program: MeasuredProgram, timings: ProgramTimings, memory: float) -> Cost:
    epochs = config.train.epochs
    each = program.steps_per_epoch * timings.step + timings.valid + timings.save
    last = program.test_share * timings.valid
    start = program.load_seconds + timings.start + timings.compile
    return Cost(
        program=program.name,
        parameters=program.parameters,
        seconds=start + epochs * each + last,
        bytes=round(memory + timings.buffers),
        lane_bytes=round(timings.buffers),
        compile_seconds=timings.compile,
        checkpoint_bytes=program.checkpoint_bytes,
        num_kept=_num_kept(config),
    )


def _num_kept(config: Config) -> int:
    """Checkpoints that a finished trial keeps at most; the best one is one of all."""
    kept = {"none": 0, "last": 1, "best": 2, "all": config.train.epochs}
    return kept[config.sweep.keep_checkpoints]
