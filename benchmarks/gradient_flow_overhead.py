"""What a record of gradient flow costs beside an ordinary step: time, memory, bytes.

    python -m benchmarks.gradient_flow_overhead                 # rnn, gru, lstm; one thread
    python -m benchmarks.gradient_flow_overhead lstm model.layers=2 train.batch_size=32
    python -m benchmarks.gradient_flow_overhead lstm --lengths 400 gradient_flow.horizon=50

The model is that of `+experiment=rnnbow`, 100 units and batches of one sequence, on synthetic text.
`record ms` is computing it and bringing it to the host, `encode ms` what is done to it there; steps
and records take turns, and the medians count. `of training` is what a record every 100 updates adds
to the time. `arrays MB` is what XLA sets aside for a step, and for a record: arguments, results and
what lies between. `KB` is what an event holds.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.harness import command_line, tables
from benchmarks.harness.compose import compose_values
from benchmarks.harness.synthetic_text import synthetic_text
from lm.config import Config, parse_config
from sweeps.cli.exit import exit_on_user_error

if TYPE_CHECKING:
    from lm.gradient_flow.itemize import GradientFlow

CELLS = ("rnn", "gru", "lstm")
LENGTHS = (25, 100, 400)
EVERY = 100
"""Updates between two records."""
STEPS = 20
"""Steps in a call, as training makes them between two reports."""


class Cost(NamedTuple):
    """Cost of one configuration, in milliseconds and megabytes."""

    step: float
    record: float
    encode: float
    step_arrays: float
    record_arrays: float
    kilobytes: float


class Bench:
    """A model before its first step."""

    def __init__(self, config: Config) -> None:
        from benchmarks.implementations.lm_training import (
            Training,  # after the thread count is set, like JAX
        )
        from lm.gradient_flow.itemize import ItemizeSpec
        from lm.gradient_flow.recorder import compile_itemize

        self._training = Training(config, synthetic_text(config))
        wanted = config.gradient_flow
        extent = ItemizeSpec(wanted.batch_items, wanted.horizon, wanted.units)
        training = self._training
        self._itemize = partial(compile_itemize(training.functions), extent)
        self._randomness = training.functions.presample(
            training.streams_lb, training.key, training.state.step, 1
        )

    def measure(self, rounds: int) -> Cost:
        """Measure steps and records in interleaved rounds."""
        times: dict[str, list[float]] = {"step": [], "record": [], "encode": []}
        self._training.run(1)
        kilobytes = sum(map(len, self._encode(self._record()))) / 1000
        for _ in range(rounds):
            times["step"].append(_ms(lambda: self._training.run(STEPS)) / STEPS)
            times["record"].append(_ms(self._record))
            flow = self._record()
            times["encode"].append(_ms(lambda flow=flow: self._encode(flow)))  # type: ignore[misc]
        medians = {name: statistics.median(ms) for name, ms in times.items()}
        return Cost(**medians, **self._arrays(), kilobytes=kilobytes)

    @property
    def _call(self) -> tuple[Any, ...]:
        from lm.backend.data_parallel import first_replica

        training = self._training
        return first_replica(training.state), training.values, training.streams_lb, self._randomness

    def _record(self) -> "GradientFlow":
        import jax

        flow: GradientFlow = jax.device_get(self._itemize(*self._call))
        return flow

    def _encode(self, flow: "GradientFlow") -> list[bytes]:
        from lm.gradient_flow.codec import encode
        from lm.gradient_flow.recorder import overview_of, to_record

        records = [to_record(one) for one in flow.measured.values()]
        for record in records:
            overview_of(record)
        return [encode(record) for record in records]

    def _arrays(self) -> dict[str, float]:
        import jax.numpy as jnp

        from lm.training.metrics import zero_totals

        program = self._training.functions
        state, *call = self._call
        step = program.train.lower(state, zero_totals(), *call, jnp.int32(1))  # type: ignore[attr-defined]
        record = self._itemize.func.lower(*self._itemize.args, *self._call)  # type: ignore[attr-defined]
        return {"step_arrays": _megabytes(step), "record_arrays": _megabytes(record)}


def _ms(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


def _megabytes(lowered: Any) -> float:
    sizes = lowered.compile().memory_analysis()
    held = sizes.argument_size_in_bytes + sizes.output_size_in_bytes + sizes.temp_size_in_bytes
    return float(held - sizes.alias_size_in_bytes) / 1e6


def table(cell: str, lengths: Sequence[int], overrides: Sequence[str], rounds: int) -> tables.Table:
    """Measure a row for each length of the window."""
    rows = []
    for length in lengths:
        options = [f"model.cell={cell}", f"train.sequence_length={length}", *overrides]
        config = parse_config(compose_values(["+experiment=rnnbow", *options]))
        cost = Bench(config).measure(rounds)
        added = (cost.record + cost.encode) / EVERY / cost.step
        rows.append(
            [
                f"{length}",
                *(f"{ms:.2f}" for ms in (cost.step, cost.record, cost.encode)),
                f"{cost.record / cost.step:.1f}",
                f"{added:.1%}",
                f"{cost.step_arrays:.2f} / {cost.record_arrays:.2f}",
                f"{cost.kilobytes:.1f}",
            ]
        )
    header = ["T", "step ms", "record ms", "encode ms", "times", "of training", "arrays MB", "KB"]
    caption = f"Medians of {rounds} rounds."
    return tables.Table(f"{cell} {' '.join(overrides)}".strip(), header, rows, caption, words=0)


def main(arguments: Sequence[str]) -> None:
    """Print a table for each cell."""
    parser = command_line.parser("benchmarks.gradient_flow_overhead", __doc__)
    parser.add_argument("what", nargs="*", help="cells (default: all), and Hydra overrides")
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS, help="of the window, T")
    parser.add_argument("--rounds", type=int, default=9, help="rounds of each (default: 9)")
    parser.add_argument("--threads", type=int, default=1, help="of XLA (default: 1)")
    options: argparse.Namespace = parser.parse_intermixed_args(arguments)
    cells, overrides = command_line.split(options.what, "cell", CELLS, CELLS)
    os.environ["NPROC"] = str(options.threads)
    page = tables.Page(options.markdown)
    for cell in cells:
        page.show(table(cell, options.lengths, overrides, options.rounds))


if __name__ == "__main__":
    with exit_on_user_error():
        main(sys.argv[1:])
