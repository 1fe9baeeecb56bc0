"""Wall time of a whole sweep, ours beside PyTorch and Ray Tune: `layer_grid` at 5 epochs.

    python -m benchmarks.sweep_speed data=sherlock data.root=DIR    # some 40 minutes on 2 cores
    python -m benchmarks.sweep_speed train.epochs=1                 # on Lee, some 8 minutes

Both are commands as a user gives them, start-up included, one after the other, round after round:
`python -m lm.sweep +sweep=layer_grid` and `python -m benchmarks.implementations.torch_sweep`. Both
train the same eight models on the same ids, two or as many at a time as there are cores, with the
full softmax on the validation split and a checkpoint after each epoch. Ours begins each round
without compiled programs or tokenised text of an earlier one; `--again` adds a row of the same
sweep in another folder, which finds them. Ours looks inside, draws the model, writes text and keeps
vectors, as shipped, and the peer reports scalars alone; `--bare` adds a row of ours that does no
more, from empty caches.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.harness import command_line, tables
from benchmarks.harness.compose import compose_values
from benchmarks.harness.machine import has_torch
from lm.config import parse_config
from sweeps.cli.exit import exit_on_user_error
from sweeps.errors import UserError
from sweeps.store import read_trial

HEADER = ("", "seconds", "least", "most", "ratio", "trials", "best valid ppl", "worst")
PEER, OURS, AGAIN = "PyTorch + Ray Tune", "ours", "ours again"
BARE = "ours, scalars alone"
SCALARS = [
    "log.histogram_every=0",
    "log.graph=false",
    "log.sample_words=0",
    "log.embedding_words=0",
]


class SweepRun(NamedTuple):
    """Time and results of a sweep."""

    seconds: float
    perplexities: list[float]
    """Best perplexity of each trial on the validation split."""


def run_ours(folder: Path, overrides: Sequence[str], caches: Path) -> SweepRun:
    """Run our command; what it keeps for later sweeps is in the folder `caches`."""
    command = ["lm.sweep", "+sweep=layer_grid", *overrides, f"output_dir={folder}"]
    seconds, _ = _run(command, caches)
    trials = [read_trial(path.parent) for path in sorted(folder.glob("*/*/result.json"))]
    best = [trial.best_of("valid/perplexity")[0] for trial in trials]
    return SweepRun(seconds, [value for value in best if value is not None])


def run_peer(folder: Path, overrides: Sequence[str], caches: Path) -> SweepRun:
    """Run the peer's command."""
    seconds, output = _run(
        ["benchmarks.implementations.torch_sweep", str(folder), *overrides], caches
    )
    (found,) = [line for line in output.splitlines() if line.startswith("perplexities: ")]
    return SweepRun(seconds, [float(word) for word in found.split()[1:]])


def run_row(name: str, folder: Path, overrides: Sequence[str]) -> SweepRun:
    """Run the sweep of a row of the table; the sweeps of a round share its folder."""
    if name == PEER:
        return run_peer(folder / "peer", overrides, folder / "peer's caches")
    if name == BARE:
        return run_ours(folder / "bare", [*overrides, *SCALARS], folder / "bare's caches")
    return run_ours(folder / {OURS: "ours", AGAIN: "again"}[name], overrides, folder / "caches")


def measure(
    overrides: Sequence[str], rounds: int, rows: Sequence[str]
) -> dict[str, list[SweepRun]]:
    """Run these rows, round after round, in this order."""
    done: dict[str, list[SweepRun]] = {name: [] for name in rows}
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            for row in rows:
                done[row].append(run_row(row, Path(folder), overrides))
        seconds = ", ".join(f"{row} {found[-1].seconds:.1f} s" for row, found in done.items())
        print(f"round {number + 1} of {rounds}: {seconds}", file=sys.stderr, flush=True)
    return done


def main(arguments: Sequence[str]) -> None:
    """Print the table."""
    options = _parse(arguments)
    config = parse_config(compose_values(options.overrides))
    if not has_torch():
        raise UserError("the peer needs PyTorch; pip install -e '.[bench]' brings it.")
    if config.data.name == "sherlock" and config.data.root is None:
        raise UserError(
            "name the folder of the books as data.root=DIR; each round would load them."
        )
    page = tables.Page(options.markdown)
    rows = [PEER, OURS, *([AGAIN] if options.again else []), *([BARE] if options.bare else [])]
    done = measure(options.overrides, options.rounds, rows)
    title = f"layer_grid, {config.train.epochs} epoch(s) on {config.data.name}"
    caption = f"Medians of {options.rounds} rounds; seconds of the whole command."
    page.show(tables.Table(title, HEADER, [_row(name, done) for name in done], caption))


def _run(command: Sequence[str], caches: Path) -> tuple[float, str]:
    """Run a module; returns wall seconds and output."""
    began = time.perf_counter()
    ended = subprocess.run(
        [sys.executable, "-m", *command],
        capture_output=True,
        text=True,
        env=os.environ | {"XDG_CACHE_HOME": str(caches)},
    )
    seconds = time.perf_counter() - began
    if ended.returncode:
        raise UserError(f"{command[0]} failed: {(ended.stderr or ended.stdout).strip()}")
    return seconds, ended.stdout


def _row(name: str, done: dict[str, list[SweepRun]]) -> list[str]:
    seconds = [one.seconds for one in done[name]]
    ratios = [peer.seconds / one for peer, one in zip(done[PEER], seconds, strict=True)]
    perplexities = done[name][-1].perplexities
    return [
        name,
        *(f"{value:.1f}" for value in (statistics.median(seconds), min(seconds), max(seconds))),
        "" if name == PEER else f"{statistics.median(ratios):.2f}",
        str(len(perplexities)),
        f"{min(perplexities):.1f}",
        f"{max(perplexities):.1f}",
    ]


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = command_line.parser("benchmarks.sweep_speed", __doc__)
    parser.add_argument("overrides", nargs="*", help="of both, as in train.epochs=1")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each (default: 5)")
    parser.add_argument("--again", action="store_true", help="ours with its caches filled, too")
    parser.add_argument("--bare", action="store_true", help="ours with the peer's logging, too")
    options = parser.parse_intermixed_args(arguments)
    if not any(word.startswith("train.epochs=") for word in options.overrides):
        options.overrides.append("train.epochs=5")
    return options


if __name__ == "__main__":
    with exit_on_user_error():
        main(sys.argv[1:])
