"""Where the time of a sweep goes, and that of its trials: one at a time, and as many as fit.

    python -m benchmarks.sweep_parts                           # layer_grid, 1 epoch on Lee
    python -m benchmarks.sweep_parts +sweep=rnnbow --warm      # another one, with filled caches

runs the sweep twice, once with one slot, so that one trial runs at a time, and once with a slot for
each core. Each begins without compiled programs or tokenised text of an earlier sweep; with
`--warm` after a sweep that has left both. Seconds of a part are those in which none of the parts
within it was at work, so that the parts of a trial add up to its time. The first trial of a worker
compiles programs that later ones of other shapes share.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.harness import command_line, tables
from benchmarks.harness.timed_trial import FILE
from sweeps.cli.exit import exit_on_user_error
from sweeps.errors import UserError
from sweeps.io.atomic import read_json

DEFAULT_SWEEP = ("+sweep=layer_grid", "train.epochs=1")
OBJECTIVE = "hydra.sweeper.objective=benchmarks.harness.timed_trial.train"
SMALL = 0.01
"""A part with less than this share of the trials' time stands among the others."""


class TimedSweep(NamedTuple):
    """A sweep that has run; times are seconds since the epoch."""

    start: float
    end: float
    trials: list[dict[str, Any]]
    """What `benchmarks.harness.timed_trial` wrote, in the order of their starts."""

    @property
    def workers(self) -> list[list[dict[str, Any]]]:
        """The trials of each worker."""
        pids = dict.fromkeys(trial["pid"] for trial in self.trials)
        return [[trial for trial in self.trials if trial["pid"] == pid] for pid in pids]


def run_sweep(overrides: Sequence[str], slots: int, caches: Path) -> TimedSweep:
    """Run `python -m lm.sweep` with a number of slots, in a temporary folder.

    Raises:
      UserError: it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "lm.sweep", *overrides, OBJECTIVE, f"output_dir={folder}"]
        start = time.time()
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            env=os.environ
            | {"XDG_CACHE_HOME": str(caches)}
            | {"RAY_OVERRIDE_RESOURCES": json.dumps({"CPU": slots})},
        )
        end = time.time()
        if done.returncode:
            raise UserError(f"the sweep failed: {(done.stderr or done.stdout).strip()}")
        found = [read_json(path) for path in Path(folder).glob(f"*/*/{FILE}")]
        trials = sorted((trial for trial in found if trial), key=lambda trial: trial["began"])
        return TimedSweep(start, end, trials)


def sweep_seconds(sweep: TimedSweep) -> dict[str, float]:
    """Wall time of the sweep by what its busiest worker did; the parts add up to it."""
    worker = max(sweep.workers, key=lambda trials: trials[-1]["ended"])
    first, last = worker[0], worker[-1]
    inside = sum(trial["ended"] - trial["began"] for trial in worker)
    return {
        "plan, start of Ray": first["born"] - sweep.start,
        "start of a worker": first["started"] - first["born"],
        "its imports": first["loaded"] - first["started"],
        "trials": inside,
        "between trials": last["ended"] - first["loaded"] - inside,
        "after the last trial": sweep.end - last["ended"],
    }


def trial_seconds(sweep: TimedSweep, *, first: bool) -> dict[str, float]:
    """Mean seconds of each part of a worker's first trial, or of its later ones."""
    chosen = [
        trial["parts"]
        for trials in sweep.workers
        for trial in (trials[:1] if first else trials[1:])
    ]
    names = {name for parts in chosen for name in parts}
    return {name: statistics.mean(parts.get(name, 0.0) for parts in chosen) for name in names}


def main(arguments: Sequence[str]) -> None:
    """Run the sweep with one slot and with all, and print both tables."""
    options = _parse(arguments)
    named = any(override.startswith("+sweep=") for override in options.overrides)
    overrides = [*(() if named else DEFAULT_SWEEP), *options.overrides]
    page = tables.Page(options.markdown)
    sweeps = {}
    for slots in dict.fromkeys((1, len(os.sched_getaffinity(0)))):
        with tempfile.TemporaryDirectory() as caches:
            for _ in range(1 + options.warm):
                sweeps[slots] = run_sweep(overrides, slots, Path(caches))
    kind = "filled" if options.warm else "empty"
    page.show(_sweep_table(sweeps, kind))
    page.show(_trial_table(sweeps, kind))


def _sweep_table(sweeps: dict[int, TimedSweep], kind: str) -> tables.Table:
    seconds = {count: sweep_seconds(sweep) for count, sweep in sweeps.items()}
    (any_one, *_) = seconds.values()
    rows = [[name, *(f"{one[name]:.2f}" for one in seconds.values())] for name in any_one]
    total = (f"{sweep.end - sweep.start:.2f}" for sweep in sweeps.values())
    header = ("wall seconds", *(_slots(count) for count in sweeps))
    return tables.Table(f"Sweep, {kind} caches", header, [*rows, ["all", *total]])


def _trial_table(sweeps: dict[int, TimedSweep], kind: str) -> tables.Table:
    columns = {
        f"{_slots(count)}, {'first' if first else 'later'}": trial_seconds(sweep, first=first)
        for count, sweep in sweeps.items()
        for first in (True, False)
    }
    totals = [sum(column.values()) for column in columns.values()]
    names = {name: None for column in columns.values() for name in column}
    weight = {name: sum(column.get(name, 0.0) for column in columns.values()) for name in names}
    shown = [name for name in names if weight[name] >= SMALL * sum(totals)]
    shown.sort(key=lambda name: -weight[name])
    rest = [
        total - sum(column.get(name, 0.0) for name in shown)
        for total, column in zip(totals, columns.values(), strict=True)
    ]
    rows: dict[str, Sequence[float]] = {
        **{name: [column.get(name, 0.0) for column in columns.values()] for name in shown},
        f"{len(names) - len(shown)} others": rest,
        "all": totals,
    }
    text = [[name, *(f"{value:.2f}" for value in values)] for name, values in rows.items()]
    caption = "Means over the workers' first trials and over their later ones."
    return tables.Table(f"Trial, {kind} caches", ("seconds", *columns), text, caption)


def _slots(count: int) -> str:
    return f"{count} slot{'s' * (count != 1)}"


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = command_line.parser("benchmarks.sweep_parts", __doc__)
    parser.add_argument("overrides", nargs="*", help="of the sweep, as in +sweep=NAME")
    parser.add_argument("--warm", action="store_true", help="with caches that a sweep has filled")
    return parser.parse_intermixed_args(arguments)


if __name__ == "__main__":
    with exit_on_user_error():
        main(sys.argv[1:])
