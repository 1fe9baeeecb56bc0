"""How fast models train on a GPU, beside PyTorch with cuDNN and Flax on the same card.

    python -m benchmarks.gpu --markdown      # about 5 minutes
    python -m benchmarks.gpu --device cpu --lanes 1,2 model.rnn_size=8    # tries the program

Two tables: words per second of 1, 8, 64 and 256 trials of the Sherlock study as lanes of one
program, which PyTorch trains one at a time; and one trial each of PTB small, medium and large. All
compute in float32 with TF32 products, PyTorch's by `set_float32_matmul_precision("high")`. Memory
is what each side has had in use on the card.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks.harness import command_line, interleaving, machine, tables
from benchmarks.harness.compose import compose_values
from benchmarks.harness.configurations import CONFIGURATIONS
from benchmarks.harness.flops import step_operations
from benchmarks.harness.interleaving import Entrant, Measured, Plan, take_turns
from benchmarks.harness.machine import has_torch
from benchmarks.harness.peak import measure_peak
from lm.config.load import parse_config
from sweeps.cli.exit import exit_on_user_error
from sweeps.errors import UserError

LANES = (1, 8, 64, 256)
PTB = ("ptb_small", "ptb_medium", "ptb_large")
HEADER = (
    *("", "lanes", "ms", "least", "most", "words/s", "to PyTorch", "to ours, 1 lane"),
    *("of peak", "compile s", "peak MB"),
)


class Card:
    """Where all compute, and how each side is told."""

    def __init__(self, device: str) -> None:
        """Look for it.

        Raises:
          UserError: there is no GPU, or JAX cannot use it.
        """
        self.device = device
        self.threads = os.cpu_count() or 1
        if device == "gpu":
            _require_gpu()
        self.peak = measure_peak(self.threads, device)

    def entrants(self, values: Mapping[str, Any], lanes: Sequence[int]) -> list[Entrant]:
        """The peers with one trial, and ours with each number of lanes."""
        gpus = 1.0 if self.device == "gpu" else 0.0
        found = []
        if has_torch(self.device):
            options = {"device": "cuda" if gpus else "cpu"}
            found.append(
                Entrant(
                    "PyTorch",
                    "benchmarks.implementations.torch_training",
                    values,
                    self.threads,
                    gpus,
                    options,
                )
            )
        found.append(
            Entrant("Flax", "benchmarks.implementations.flax_training", values, self.threads, gpus)
        )
        for count in lanes:
            module = (
                "benchmarks.implementations.lm_training"
                if count == 1
                else "benchmarks.implementations.lm_lanes"
            )
            width = None if count == 1 else {"lanes": count}
            found.append(Entrant("ours", module, values, self.threads, gpus, width))
        return found


class Result(NamedTuple):
    """What one took, with so many trials."""

    measured: Measured
    lanes: int

    @property
    def rate(self) -> float:
        """Steps of one trial in a second, summed over its trials."""
        return self.lanes / self.measured.middle

    def cells(self, words: int) -> list[str]:
        """Name, lanes, milliseconds and words per second."""
        one = self.measured
        seconds = one.middle, min(one.step_seconds), max(one.step_seconds)
        milliseconds = [f"{1000 * value:.2f}" for value in seconds]
        return [one.name, str(self.lanes), *milliseconds, f"{self.rate * words:,.0f}"]


def measure(
    name: str, values: Mapping[str, Any], lanes: Sequence[int], card: Card, plan: Plan
) -> tables.Table:
    """Time one configuration."""
    config = parse_config(values)
    words = config.train.batch_size * config.train.sequence_length
    entrants = card.entrants(values, lanes)
    results = [
        Result(one, (entrant.options or {}).get("lanes", 1))
        for one, entrant in zip(take_turns(entrants, plan), entrants, strict=True)
    ]
    peer = next((result for result in results if result.measured.name == "PyTorch"), None)
    own = next((result for result in results if result.measured.name == "ours"), None)
    share = step_operations(config) / card.peak
    rows = [
        [
            *result.cells(words),
            _times(result, peer if peer is not result else None),
            _times(result, own if result.lanes > 1 and own and own.lanes == 1 else None),
            f"{share * result.rate:.1%}",
            f"{result.measured.compile_seconds:.1f}",
            f"{result.measured.peak_bytes / 1e6:.0f}",
        ]
        for result in results
    ]
    return tables.Table(f"{name}, {words} words a step and lane", HEADER, rows, f"{plan}")


def main(arguments: Sequence[str]) -> None:
    """Print the tables."""
    options = _parse(arguments)
    jobs = {"sherlock": options.lanes} | {name: [1] for name in PTB}
    jobs = {name: lanes for name, lanes in jobs.items() if name in options.configurations}
    values = {name: compose_values([*CONFIGURATIONS[name], *options.overrides]) for name in jobs}
    card, plan = Card(options.device), interleaving.plan(options)
    page = tables.Page(options.markdown)
    if not has_torch(options.device):
        page.say("PyTorch is left out: it is not installed, or finds no GPU.")
    page.say(f"Matrix-multiply peak: {card.peak / 1e12:.2f} trillion a second.")
    for name, lanes in jobs.items():
        page.show(measure(name, values[name], lanes, card, plan))


def _times(result: Result, other: Result | None) -> str:
    return f"{result.rate / other.rate:.2f}" if other else ""


def _require_gpu() -> None:
    if machine.gpu_name() is None:
        raise UserError(
            "there is no NVIDIA GPU here, so that nothing was measured; run it on a machine with "
            "one, or try the program with --device cpu."
        )
    done = subprocess.run(
        [sys.executable, "-c", "import jax; jax.devices()"],
        capture_output=True,
        env=os.environ | {"JAX_PLATFORMS": "cuda"},
    )
    if done.returncode:
        raise UserError(
            "there is a GPU, but JAX cannot use it, so that nothing was measured; "
            "`pip install 'jax[cuda12]'` brings what it needs."
        )


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = command_line.parser("benchmarks.gpu", __doc__)
    known = ["sherlock", *PTB]
    parser.add_argument(
        "what", nargs="*", help=f"{', '.join(known)} (default: all), and Hydra overrides"
    )
    parser.add_argument("--device", choices=["gpu", "cpu"], default="gpu")
    default = ",".join(map(str, LANES))
    parser.add_argument("--lanes", default=default, help=f"of sherlock (default: {default})")
    interleaving.add_options(parser)
    options = parser.parse_intermixed_args(arguments)
    options.configurations, options.overrides = command_line.split(
        options.what, "configuration", known, known
    )
    if not all(count.isdigit() and int(count) > 0 for count in options.lanes.split(",")):
        raise UserError(f"--lanes={options.lanes} is no list of numbers, as in 1,8,64.")
    options.lanes = [int(count) for count in options.lanes.split(",")]
    return options


if __name__ == "__main__":
    with exit_on_user_error():
        main(sys.argv[1:])
