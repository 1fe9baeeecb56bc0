"""Scale of a sweep: time a trial, and memory of the command, with many trials.

python -m benchmarks.sweep_scale --trials 100 500 2000
python -m benchmarks.sweep_scale --plan --trials 1000

Each size is a sweep of its own of `benchmarks.harness.empty_objective`, whose trials do nothing;
the same command is then given again, to see how long a finished sweep takes to show its table.
With `--plan` nothing is trained: a preview of `lm.sweep` composes and checks as many trials of a
language model, which differ in their seed, or in their learning rate.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import NamedTuple

import psutil

EMPTY = "benchmarks.harness.empty_objective"


class Cost(NamedTuple):
    """What a command took."""

    seconds: float
    cpu_seconds: float
    """Of its own process, without Ray's processes and workers."""
    megabytes: float
    """Largest resident size of its process."""


def measure(module: str, *arguments: str) -> Cost:
    """Run a command.

    Raises:
      SystemExit: it failed.
    """
    command = [sys.executable, "-m", module, *arguments]
    began, most, cpu = time.perf_counter(), 0, 0.0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            with watched.oneshot():
                most = max(most, watched.memory_info().rss)
                times = watched.cpu_times()
            cpu = max(cpu, times.user + times.system)
            time.sleep(0.05)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Cost(time.perf_counter() - began, cpu, most / 1e6)


def measure_sweep(trials: int) -> tuple[Cost, Cost]:
    """Run a sweep of trials that do nothing, and the same command again."""
    with tempfile.TemporaryDirectory() as folder:
        command = "--multirun", f"seed=range(0,{trials})", f"output_dir={folder}"
        return measure(EMPTY, *command), measure(EMPTY, *command)


def measure_plan(trials: int) -> tuple[Cost, Cost]:
    """Preview sweeps over the seed, and over the learning rate."""
    rates = ",".join(f"{1 + number / trials:.6f}" for number in range(trials))
    axes = f"seed=range(0,{trials})", f"optimizer.learning_rate={rates}"
    with tempfile.TemporaryDirectory() as folder:
        last = "sweep.preview=true", f"output_dir={folder}"
        return measure("lm.sweep", axes[0], *last), measure("lm.sweep", axes[1], *last)


def median(costs: Sequence[Cost]) -> Cost:
    """The median of each part."""
    return Cost(*map(statistics.median, zip(*costs, strict=True)))


def main() -> None:
    """Print a row for each size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, nargs="+", default=[100, 500, 2000])
    parser.add_argument("--rounds", type=int, default=1, help="runs of each size (medians)")
    parser.add_argument("--plan", action="store_true", help="time the planning of lm.sweep")
    given = parser.parse_args()
    if given.plan:
        print("| trials | seeds planned, s | ms a trial | rates planned, s | ms a trial |")
        print("|-------:|-----------------:|-----------:|-----------------:|-----------:|")
    else:
        print("| trials | seconds | ms a trial | command CPU ms | command MB | table again, s |")
        print("|-------:|--------:|-----------:|---------------:|-----------:|---------------:|")
    for trials in given.trials:
        run = measure_plan if given.plan else measure_sweep
        first, second = map(median, zip(*[run(trials) for _ in range(given.rounds)], strict=True))
        each = 1000 / trials
        cells = [f"{first.seconds:.1f}", f"{each * first.seconds:.0f}"]
        if given.plan:
            cells = [f"{first.seconds:.1f}", f"{each * first.seconds:.1f}"]
            cells += [f"{second.seconds:.1f}", f"{each * second.seconds:.1f}"]
        else:
            cells += [f"{each * first.cpu_seconds:.1f}", f"{first.megabytes:.0f}"]
            cells.append(f"{second.seconds:.2f}")
        print("|", " | ".join([f"{trials}", *cells]), "|", flush=True)


if __name__ == "__main__":
    main()
