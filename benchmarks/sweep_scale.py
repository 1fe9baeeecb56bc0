"""Scale of a sweep: seconds a trial, and memory of the command, with many trials.

python -m benchmarks.sweep_scale --trials 100 500 2000

Each size is a sweep of its own of `benchmarks.harness.empty_objective`, whose trials do nothing;
the same command is then given again, to see how long a finished sweep takes to show its table.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil


def measure(trials: int, folder: Path) -> tuple[float, float]:
    """Run a sweep; returns seconds, and the largest resident size of its process in MB."""
    command = [sys.executable, "-m", "benchmarks.harness.empty_objective", "--multirun"]
    command += [f"seed=range(0,{trials})", f"output_dir={folder}"]
    began, most = time.perf_counter(), 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            most = max(most, watched.memory_info().rss)
            time.sleep(0.05)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return time.perf_counter() - began, most / 1e6


def main() -> None:
    """Print a row for each size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, nargs="+", default=[100, 500, 2000])
    given = parser.parse_args()
    print("| trials | seconds | ms a trial | command MB | table again, s |")
    print("|-------:|--------:|-----------:|-----------:|---------------:|")
    for trials in given.trials:
        with tempfile.TemporaryDirectory() as folder:
            seconds, size = measure(trials, Path(folder))
            again, _ = measure(trials, Path(folder))
        each = 1000 * seconds / trials
        print(f"| {trials} | {seconds:.1f} | {each:.0f} | {size:.0f} | {again:.2f} |", flush=True)


if __name__ == "__main__":
    main()
