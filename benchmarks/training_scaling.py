"""Scaling of the time of a step with vocabulary, width, sequence length, and lanes in a pack.

    python -m benchmarks.training_scaling         # all of them, one thread; about 8 minutes
    python -m benchmarks.training_scaling vocabulary --threads 2 --markdown

Everything else is as in the Sherlock study (`benchmarks.harness.configurations`): its loss samples,
so that neither products nor touched rows grow with the vocabulary. PyTorch's momentum and clipping
know dense gradients only, so that its step goes over all rows. Ours brings rows that no step has
touched up to date at the end of an epoch: `flush ms`, once an epoch and not in a step's time. At a
million words each side takes a few gigabytes of memory. Lanes are trials in one vmapped program,
beside one trial alone, and `ratio` is what that gains; on a GPU `benchmarks.gpu` measures it.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.harness import command_line, interleaving, tables
from benchmarks.harness.compose import compose_values
from benchmarks.harness.configurations import CONFIGURATIONS
from benchmarks.harness.interleaving import Implementation, Measurement, TimingPlan, run_interleaved
from benchmarks.harness.machine import has_torch
from lm.config import parse_config
from sweeps.cli.exit import exit_on_user_error


class Axis(NamedTuple):
    """An option that grows, or `lanes`, the number of trials in one program."""

    option: str
    values: Sequence[int]


AXES = {
    "vocabulary": Axis("data.vocab_size", (10_000, 30_000, 100_000, 300_000, 1_000_000)),
    "width": Axis("model.rnn_size", (64, 128, 256, 512, 1024)),
    "length": Axis("train.sequence_length", (5, 10, 20, 40, 80)),
    "lanes": Axis("lanes", (2, 4, 8, 16)),
}


def measure(axis: Axis, overrides: Sequence[str], threads: int, plan: TimingPlan) -> tables.Table:
    """A row for each value: both sides, and how many times the first value's step it takes."""
    rows: list[list[str]] = []
    first: list[float] = []
    for value in axis.values:
        implementations = _implementations(axis, value, overrides, threads)
        measured = run_interleaved(implementations, plan)
        first = first or [one.median for one in measured]
        lanes = value if axis.option == "lanes" else 1
        rows.append([f"{value:,}", *_cells(measured, first, lanes)])
    names = [one.name for one in implementations]
    header = [axis.option, *(f"{name} ms" for name in names)]
    header += [f"{name} times" for name in names] + ["ratio", "flush ms", "peak MB"]
    return tables.Table(f"{axis.option}, {threads} thread(s)", header, rows, f"{plan}", words=0)


def main(arguments: Sequence[str]) -> None:
    """Print the tables that the command line asks for."""
    options = _parse(arguments)
    compose_values([*CONFIGURATIONS["sherlock"], *options.overrides])  # a mistake ends it here
    page, plan = tables.Page(options.markdown), interleaving.timing_plan(options)
    for name in options.axes:
        axis = AXES[name]
        values = [value for value in axis.values if value <= (options.most or value)]
        page.show(measure(axis._replace(values=values), options.overrides, options.threads, plan))


def _implementations(
    axis: Axis, value: int, overrides: Sequence[str], threads: int
) -> list[Implementation]:
    swept = [] if axis.option == "lanes" else [f"{axis.option}={value}"]
    values = compose_values([*CONFIGURATIONS["sherlock"], *overrides, *swept])
    parse_config(values)
    if axis.option == "lanes":
        options = {"lanes": value}
        return [
            Implementation("1 trial", "benchmarks.implementations.lm_training", values, threads),
            Implementation(
                "pack", "benchmarks.implementations.lm_lanes", values, threads, options=options
            ),
        ]
    ours = Implementation("ours", "benchmarks.implementations.lm_training", values, threads)
    if not has_torch():
        return [ours]
    return [
        Implementation("PyTorch", "benchmarks.implementations.torch_training", values, threads),
        ours,
    ]


def _cells(measured: Sequence[Measurement], first: Sequence[float], lanes: int) -> list[str]:
    *peers, own = measured
    return [
        *(f"{1000 * one.median:.2f}" for one in measured),
        *(f"{one.median / start:.2f}" for one, start in zip(measured, first, strict=True)),
        "".join(f"{lanes * interleaving.ratio(peer, own):.2f}" for peer in peers),
        f"{1000 * own.flush_seconds:.1f}",
        " / ".join(f"{one.peak_bytes / 1e6:.0f}" for one in measured),
    ]


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = command_line.parser("benchmarks.training_scaling", __doc__)
    known = ", ".join(AXES)
    parser.add_argument("what", nargs="*", help=f"{known} (default: all), and Hydra overrides")
    parser.add_argument("--threads", type=int, default=1, help="of each (default: 1)")
    parser.add_argument("--most", type=int, help="leave out larger values")
    interleaving.add_options(parser, seconds=0.7)
    options = parser.parse_intermixed_args(arguments)
    options.axes, options.overrides = command_line.split(options.what, "axis", AXES, AXES)
    return options


if __name__ == "__main__":
    with exit_on_user_error():
        main(sys.argv[1:])
