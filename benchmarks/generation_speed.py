"""Speed of generation, of one text and of a thousand, beside a loop in PyTorch, on the CPU.

    python -m benchmarks.generation_speed                          # sherlock and ptb_small
    python -m benchmarks.generation_speed ptb_medium --samples 1,16,1000 --markdown

prints a table for each configuration. Words are drawn at temperature 1 from the whole vocabulary.
Ours computes a text among 16 even where there is but one, so that it is the same among many. The
implementations take turns, round after round. About half a minute for each configuration.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.harness import command_line, interleaving, tables
from benchmarks.harness.compose import compose_values
from benchmarks.harness.configurations import CONFIGURATIONS
from benchmarks.harness.interleaving import Implementation, Measurement, TimingPlan, run_interleaved
from benchmarks.harness.machine import has_torch
from lm.cli.arguments import comma_list, positive_int
from sweeps.cli.exit import exit_on_user_error
from sweeps.errors import UserError

MODULES = {
    "PyTorch": "benchmarks.implementations.torch_generation",
    "ours": "benchmarks.implementations.lm_generation",
}
DEFAULT = ["sherlock", "ptb_small"]
HEADER = ("", "texts", "ms a word", "least", "most", "words/s", "ratio", "compile s", "peak MB")


def measure(
    values: Mapping[str, Any], samples: int, threads: int, plan: TimingPlan
) -> list[Measurement]:
    """Time every implementation with `samples` texts side by side."""
    implementations = [
        Implementation(name, module, values, threads, options={"samples": samples})
        for name, module in MODULES.items()
        if name != "PyTorch" or has_torch()
    ]
    return run_interleaved(implementations, plan)


def main(arguments: Sequence[str]) -> None:
    """Print the tables that the command line asks for."""
    parser = command_line.parser("benchmarks.generation_speed", __doc__)
    known, default = ", ".join(CONFIGURATIONS), ", ".join(DEFAULT)
    parser.add_argument(
        "what", nargs="*", help=f"{known} (default: {default}), and Hydra overrides"
    )
    parser.add_argument("--threads", type=positive_int, default=2, help="of each (default: 2)")
    parser.add_argument(
        "--samples",
        type=comma_list(positive_int),
        default=[1, 1000],
        help="texts (default: 1,1000)",
    )
    interleaving.add_options(parser)
    options = parser.parse_intermixed_args(arguments)
    names, overrides = command_line.split(options.what, "configuration", CONFIGURATIONS, DEFAULT)
    page, plan = tables.Page(options.markdown), interleaving.timing_plan(options)
    if not has_torch():
        page.say("PyTorch is left out: pip install -e '.[bench]' would bring it.")
    for name in names:
        values = compose_values([*CONFIGURATIONS[name], *overrides])
        if values["data"]["vocab_size"] is None:
            raise UserError("data.vocab_size must be a number: there is no text here.")
        rows = [
            row
            for samples in options.samples
            for row in _rows(samples, measure(values, samples, options.threads, plan))
        ]
        size, cell = values["data"]["vocab_size"], values["model"]["cell"]
        title = f"{name}, {cell}, {size:,} words, {options.threads} thread(s)"
        page.show(tables.Table(title, HEADER, rows, str(plan)))


def _rows(samples: int, items: Sequence[Measurement]) -> list[list[str]]:
    peer = next((item for item in items if item.name == "PyTorch"), None)
    return [_row(samples, item, None if item is peer else peer) for item in items]


def _row(samples: int, item: Measurement, peer: Measurement | None) -> list[str]:
    ms = [1000 * value for value in (item.median, min(item.step_seconds), max(item.step_seconds))]
    return [
        item.name,
        f"{samples:,}",
        *(f"{value / samples:.4f}" for value in ms),
        f"{samples / item.median:,.0f}",
        f"{interleaving.ratio(peer, item):.2f}" if peer else "",
        f"{item.compile_seconds:.2f}",
        f"{item.peak_bytes / 1e6:.0f}",
    ]


if __name__ == "__main__":
    with exit_on_user_error():
        main(sys.argv[1:])
