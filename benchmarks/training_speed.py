"""Speed of training beside PyTorch and Flax, on the CPU.

    python -m benchmarks.training_speed                                  # four configurations, LSTM
    python -m benchmarks.training_speed --cells rnn,gru,lstm --markdown  # all cells, to paste
    python -m benchmarks.training_speed sherlock --threads 1 model.layers=2
    python -m benchmarks.training_speed ptb_medium --bfloat16            # and products of bfloat16

prints a table for each configuration and cell. The text is synthetic (Zipf's law), so no corpus is
needed. All implementations take turns, round after round, so that a slow moment of the machine
meets all of them; the machine should be idle all the same. About half a minute for each
configuration, cell and number of threads.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.harness import command_line, interleaving, tables
from benchmarks.harness.compose import compose_values
from benchmarks.harness.configurations import CONFIGURATIONS
from benchmarks.harness.flops import flops_per_step
from benchmarks.harness.interleaving import Implementation, Measurement, TimingPlan, run_interleaved
from benchmarks.harness.machine import has_torch
from benchmarks.harness.peak import measure_peak_flops
from lm.config import parse_config
from sweeps.cli.exit import exit_on_user_error
from sweeps.errors import UserError

MODULES = {
    "PyTorch": "benchmarks.implementations.torch_training",
    "Flax": "benchmarks.implementations.flax_training",
    "ours": "benchmarks.implementations.lm_training",
}
DEFAULT = ["default", "sherlock", "ptb_small", "ptb_medium"]
WITH_BFLOAT16 = ("PyTorch", "ours")
"""PyTorch has it by autocast, ours by `train.precision=bfloat16`."""
CELLS = ("rnn", "gru", "lstm")
HEADER = (
    *("", "threads", "ms", "least", "most", "words/s", "ratio"),
    *("of peak", "compile s", "peak MB"),
)


def measure(
    values: Mapping[str, Any], threads: Sequence[int], plan: TimingPlan, *, bfloat16: bool = False
) -> dict[int, list[Measurement]]:
    """Time every implementation with each number of threads.

    Args:
      values: a composed configuration.
      threads: that an implementation may compute with.
      plan: how long.
      bfloat16: whether those that can are timed with products of bfloat16, too.
    """
    return {
        count: run_interleaved(list(_implementations(values, count, bfloat16)), plan)
        for count in threads
    }


def _implementations(
    values: Mapping[str, Any], threads: int, bfloat16: bool
) -> Iterator[Implementation]:
    narrow = {**values, "train": {**values["train"], "precision": "bfloat16"}}
    for name, module in _installed().items():
        yield Implementation(name, module, values, threads)
        if bfloat16 and name in WITH_BFLOAT16:
            yield Implementation(f"{name}, bfloat16", module, narrow, threads)


def main(arguments: Sequence[str]) -> None:
    """Print the tables that the command line asks for."""
    options = _parse(arguments)
    jobs = [(name, cell) for name in options.configurations for cell in options.cells]
    jobs_values = {job: _compose(*job, options.overrides) for job in jobs}
    page, plan = tables.Page(options.markdown), interleaving.timing_plan(options)
    if "PyTorch" not in _installed():
        page.say("PyTorch is left out: pip install -e '.[bench]' would bring it.")
    peaks = dict.fromkeys(options.threads, 0.0)
    for (name, cell), values in jobs_values.items():
        measured = measure(values, options.threads, plan, bfloat16=options.bfloat16)
        # The best so far, for a busy moment lowers it; so every table is preceded by another look.
        peaks = {count: max(peak, measure_peak_flops(count)) for count, peak in peaks.items()}
        page.show(_table(f"{name}, {cell}", values, measured, peaks, plan))


def _compose(name: str, cell: str, overrides: Sequence[str]) -> dict[str, Any]:
    values = compose_values([*CONFIGURATIONS[name], f"model.cell={cell}", *overrides])
    if parse_config(values).data.vocab_size is None:
        raise UserError("data.vocab_size must be a number: the text here is synthetic.")
    return values


def _installed() -> dict[str, str]:
    return {name: module for name, module in MODULES.items() if name != "PyTorch" or has_torch()}


def _table(
    name: str,
    values: Mapping[str, Any],
    measured: Mapping[int, Sequence[Measurement]],
    peaks: Mapping[int, float],
    plan: TimingPlan,
) -> tables.Table:
    config = parse_config(values)
    words = config.train.batch_size * config.train.sequence_length
    rows = []
    for threads, items in measured.items():
        floor = flops_per_step(config) / peaks[threads]
        peer = next((item for item in items if item.name == "PyTorch"), None)
        rows += [_row(item, threads, peer, words, floor) for item in items]
    floors = ", ".join(
        f"{1000 * flops_per_step(config) / peak:.2f} ms on {threads} ({peak / 1e9:.0f} GFLOP/s)"
        for threads, peak in peaks.items()
    )
    caption = f"{plan} All of the peak would be {floors} thread(s)."
    if config.loss.kind != "softmax":
        own = ", ".join(f"{1000 * items[-1].flush_seconds:.1f}" for items in measured.values())
        caption += f" The end of an epoch takes ours {own} ms more."
    return tables.Table(f"{name}, {words} words a step", HEADER, rows, caption)


def _row(
    item: Measurement, threads: int, peer: Measurement | None, words: int, floor: float
) -> list[str]:
    ms = [1000 * value for value in (item.median, min(item.step_seconds), max(item.step_seconds))]
    compared = peer is not None and peer is not item
    return [
        item.name,
        str(threads),
        *(f"{value:.2f}" for value in ms),
        f"{words / item.median:,.0f}",
        f"{interleaving.ratio(peer, item):.2f}" if peer and compared else "",
        f"{floor / item.median:.0%}",
        f"{item.compile_seconds:.2f}",
        f"{item.peak_bytes / 1e6:.0f}",
    ]


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = command_line.parser("benchmarks.training_speed", __doc__)
    known, default = ", ".join(CONFIGURATIONS), ", ".join(DEFAULT)
    parser.add_argument(
        "what", nargs="*", help=f"{known} (default: {default}), and Hydra overrides"
    )
    parser.add_argument("--threads", type=int, action="append", help="of each (default: 1 and 2)")
    parser.add_argument("--cells", default="lstm", help="as in rnn,gru,lstm (default: lstm)")
    parser.add_argument(
        "--bfloat16", action="store_true", help="time products of bfloat16, too, where there are"
    )
    interleaving.add_options(parser)
    options = parser.parse_intermixed_args(arguments)
    options.threads = options.threads or [1, 2]
    options.cells = options.cells.split(",")
    options.configurations, options.overrides = command_line.split(
        options.what, "configuration", CONFIGURATIONS, DEFAULT
    )
    for cell in options.cells:
        if cell not in CELLS:
            raise UserError(f"there is no cell {cell}; choose from {', '.join(CELLS)}.")
    return options


if __name__ == "__main__":
    with exit_on_user_error():
        main(sys.argv[1:])
