"""Speed of training on a GPU, beside PyTorch with cuDNN and Flax on one card.

    python -m benchmarks.gpu --markdown      # never run on a GPU yet
    python -m benchmarks.gpu --device cpu --lanes 1,2 model.rnn_size=8    # tries the program

Words per second of 1, 8, 64 and 256 trials of the Sherlock study as lanes of one program, which
PyTorch trains one at a time; and one trial each of PTB small, medium and large, ours with cuDNN's
LSTM where it works (`ours`) and with our own loop (`ours, scan`). All compute in float32 with TF32
products, PyTorch's by `set_float32_matmul_precision("high")`. Memory is the peak that each
implementation has used on the card. The last table trains twice from one state, as XLA compiles by
itself and with deterministic programs alone, and says whether the bits are the same.
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
from benchmarks.harness.flops import flops_per_step
from benchmarks.harness.interleaving import Implementation, Measurement, TimingPlan, run_interleaved
from benchmarks.harness.machine import has_torch
from benchmarks.harness.peak import measure_peak_flops
from benchmarks.harness.repeated_training import DETERMINISTIC, repeat_training
from lm.config import parse_config
from sweeps.cli.exit import exit_on_user_error
from sweeps.errors import UserError

LANES = (1, 8, 64, 256)
BITS_STEPS = 200
"""Steps of a training whose bits are compared."""
PTB = ("ptb_small", "ptb_medium", "ptb_large")
HEADER = (
    *("", "lanes", "ms", "least", "most", "words/s", "to PyTorch", "to ours, 1 lane"),
    *("of peak", "compile s", "peak MB"),
)


class Device:
    """The device that all implementations compute on."""

    def __init__(self, kind: str) -> None:
        """Measure its peak.

        Raises:
          UserError: there is no GPU, or JAX cannot use it.
        """
        self.kind = kind
        self.threads = os.cpu_count() or 1
        if kind == "gpu":
            _require_gpu()
        self.peak = measure_peak_flops(self.threads, kind)

    def implementations(
        self, values: Mapping[str, Any], lanes: Sequence[int]
    ) -> list[Implementation]:
        """The peers with one trial, and ours with each number of lanes."""
        gpus = float(self.kind == "gpu")

        def make(
            name: str, module: str, options: Mapping[str, Any] | None = None
        ) -> Implementation:
            return Implementation(
                name=name,
                module=f"benchmarks.implementations.{module}",
                values=values,
                threads=self.threads,
                gpus=gpus,
                options=options,
            )

        found = [make("Flax", "flax_training")]
        if has_torch(self.kind):
            device = "cuda" if self.kind == "gpu" else "cpu"
            found.insert(0, make("PyTorch", "torch_training", {"device": device}))
        found += [
            make("ours", "lm_training")
            if count == 1
            else make("ours", "lm_lanes", {"lanes": count})
            for count in lanes
        ]
        if values["model"]["cell"] == "lstm":
            found.append(make("ours, scan", "lm_training", {"cudnn": False}))
        return found


class LanesMeasurement(NamedTuple):
    """A measurement of an implementation that trains a number of trials at a time."""

    measurement: Measurement
    lanes: int

    @property
    def rate(self) -> float:
        """Steps per second, each lane's counted."""
        return self.lanes / self.measurement.median

    def cells(self, words: int) -> list[str]:
        """Name, lanes, milliseconds and words per second, for steps of `words` words."""
        one = self.measurement
        seconds = one.median, min(one.step_seconds), max(one.step_seconds)
        milliseconds = [f"{1000 * value:.2f}" for value in seconds]
        return [one.name, str(self.lanes), *milliseconds, f"{self.rate * words:,.0f}"]


def measure(
    name: str, values: Mapping[str, Any], lanes: Sequence[int], device: Device, plan: TimingPlan
) -> tables.Table:
    """Time one configuration."""
    config = parse_config(values)
    words = config.train.batch_size * config.train.sequence_length
    implementations = device.implementations(values, lanes)
    results = [
        LanesMeasurement(one, (implementation.options or {}).get("lanes", 1))
        for one, implementation in zip(
            run_interleaved(implementations, plan), implementations, strict=True
        )
    ]
    peer = next((result for result in results if result.measurement.name == "PyTorch"), None)
    own = next((result for result in results if result.measurement.name == "ours"), None)
    share = flops_per_step(config) / device.peak
    rows = [
        [
            *result.cells(words),
            _times(result, peer if peer is not result else None),
            _times(result, own if result.lanes > 1 and own and own.lanes == 1 else None),
            f"{share * result.rate:.1%}",
            f"{result.measurement.compile_seconds:.1f}",
            f"{result.measurement.peak_bytes / 1e6:.0f}",
        ]
        for result in results
    ]
    return tables.Table(f"{name}, {words} words a step and lane", HEADER, rows, f"{plan}")


def compare_bits(
    values: Mapping[str, Mapping[str, Any]], device: Device, steps: int
) -> tables.Table:
    """Train each configuration twice, with and without programs that are not deterministic."""
    rows = []
    for name, configuration in values.items():
        for kind, flags in {"any program": "", "deterministic ones": DETERMINISTIC}.items():
            found = repeat_training(
                configuration,
                steps=steps,
                threads=device.threads,
                gpus=float(device.kind == "gpu"),
                flags=flags,
            )
            same = "yes" if found.same_bits else "no"
            rows.append([name, kind, f"{found.milliseconds:.2f}", same])
    title = f"The same {steps} steps twice"
    return tables.Table(title, ("", "XLA may take", "ms", "same bits"), rows, words=2)


def main(arguments: Sequence[str]) -> None:
    """Print the tables."""
    options = _parse(arguments)
    jobs = {"sherlock": options.lanes} | {name: [1] for name in PTB}
    jobs = {name: lanes for name, lanes in jobs.items() if name in options.configurations}
    values = {name: compose_values([*CONFIGURATIONS[name], *options.overrides]) for name in jobs}
    device, plan = Device(options.device), interleaving.timing_plan(options)
    page = tables.Page(options.markdown)
    if not has_torch(options.device):
        page.say("PyTorch is left out: it is not installed, or finds no GPU.")
    page.say(f"Matrix-multiply peak: {device.peak / 1e12:.2f} trillion a second.")
    for name, lanes in jobs.items():
        page.show(measure(name, values[name], lanes, device, plan))
    page.show(compare_bits(values, device, options.steps or BITS_STEPS))


def _times(result: LanesMeasurement, other: LanesMeasurement | None) -> str:
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
            "`pip install -e '.[gpu]'` brings what it needs."
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
