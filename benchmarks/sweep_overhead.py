"""Overhead of a sweep beside training: its wall time against the time of its updates.

    python -m benchmarks.sweep_overhead                        # learning_rate, 2 epochs on Lee
    python -m benchmarks.sweep_overhead +sweep=layer_grid      # another sweep, other overrides

runs a real sweep in a temporary folder and prints where the time of its busiest slot went. A slot
is what a trial occupies; there are as many as fit on this machine's cores. Training is the time of
the updates alone, so that evaluation and checkpoints count as overhead. The first trial of a slot
starts a process, which loads its libraries and compiles; what later ones cost is shown by itself.
Compiled programs and texts come from the cache of whoever runs this, as in a user's sweep; an
empty `XDG_CACHE_HOME` shows a machine's first sweep.
"""

import csv
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from sweeps.cli.exit import exit_on_user_error
from sweeps.errors import UserError
from sweeps.io.atomic import read_json
from sweeps.store import read_config, read_trial

DEFAULT_SWEEP = ("+sweep=learning_rate", "train.epochs=2")


class TrialTimes(NamedTuple):
    """Seconds of a trial; the rest of them is evaluation, checkpoints and loading."""

    start: float
    """Seconds since the epoch, as `end`."""
    end: float
    compiling: float
    updates: float
    slots: int
    """Number of trials like this one that fit on the machine at a time."""
    compiled: str = "miss"
    """Origin of its programs: `lm.backend.compile_cache`."""


class Sweep(NamedTuple):
    """A sweep that has run."""

    start: float
    end: float
    trials: list[TrialTimes]
    """Trials in the order of their starts."""

    @property
    def slots(self) -> int:
        """Number of trials that ran at a time."""
        return max(1, min(len(self.trials), *(trial.slots for trial in self.trials)))


def run_sweep(overrides: Sequence[str]) -> Sweep:
    """Run `python -m lm.sweep` in a temporary folder.

    Raises:
      UserError: it failed, or one of its trials did.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "lm.sweep", *overrides, f"output_dir={folder}"]
        start = time.time()
        done = subprocess.run(command, capture_output=True, text=True)
        end = time.time()
        if done.returncode:
            raise UserError(f"the sweep failed: {(done.stderr or done.stdout).strip()}")
        results = sorted(Path(folder).glob("*/*/result.json"))
        return Sweep(start, end, sorted(read_trial_times(path.parent) for path in results))


def read_trial_times(directory: Path) -> TrialTimes:
    """Read a finished trial's folder.

    Raises:
      UserError: it did not finish.
    """
    trial, facts = read_trial(directory), read_json(directory / "provenance.json") or {}
    if trial.status != "finished":
        raise UserError(f"trial {directory.name} ended as {trial.status}: {trial.error}.")
    config = read_config(directory)
    words = config["train"]["batch_size"] * config["train"]["sequence_length"]
    end = (directory / "result.json").stat().st_mtime
    return TrialTimes(
        end - trial.seconds,
        end,
        facts["compile_seconds"],
        update_seconds(directory / "metrics.csv", words),
        len(os.sched_getaffinity(0)) // config["sweep"]["cpus_per_trial"],
        facts["compile_cache"],
    )


def update_seconds(metrics: Path, words_per_step: int) -> float:
    """Seconds that the updates took, from the words per second of each epoch."""
    seconds, before = 0.0, 0
    with metrics.open(newline="") as table:
        for row in csv.DictReader(table):
            if row["valid/loss"]:  # this row ends an epoch, and its speed is the epoch's
                steps = int(row["step"]) - before
                seconds += steps * words_per_step / float(row["time/words_per_second"])
                before = int(row["step"])
    return seconds


def trials_by_slot(trials: Sequence[TrialTimes], slots: int) -> list[list[TrialTimes]]:
    """Group trials by slot; each is taken to start in the slot that was free first."""
    found: list[list[TrialTimes]] = [[] for _ in range(slots)]
    for trial in trials:
        min(found, key=lambda slot: slot[-1].end if slot else 0.0).append(trial)
    return found


def busiest_slot(trials: Sequence[TrialTimes], slots: int) -> list[TrialTimes]:
    """Return the trials of the slot whose trials took longest."""
    found = trials_by_slot(trials, slots)
    return max(found, key=lambda slot: sum(trial.end - trial.start for trial in slot))


def overhead_of_later_trials(sweep: Sweep) -> list[float]:
    """Return the seconds, beside its updates, that each trial after its slot's first cost."""
    return [
        trial.end - before.end - trial.updates
        for slot in trials_by_slot(sweep.trials, sweep.slots)
        for before, trial in pairwise(slot)
    ]


def break_down(sweep: Sweep) -> dict[str, float]:
    """Break the wall time down, in seconds; the parts add up to it."""
    first = min(trial.start for trial in sweep.trials)
    last = max(trial.end for trial in sweep.trials)
    slot = busiest_slot(sweep.trials, sweep.slots)
    updates = sum(trial.updates for trial in slot)
    compiling = sum(trial.compiling for trial in slot)
    inside = sum(trial.end - trial.start for trial in slot)
    return {
        "training updates": updates,
        "before the first trial": first - sweep.start,
        "compiling": compiling,
        "evaluation, checkpoints, loading": inside - updates - compiling,
        "between trials": last - first - inside,
        "after the last trial": sweep.end - last,
    }


def main(overrides: Sequence[str]) -> None:
    """Run a sweep and print the table."""
    named = any(override.startswith("+sweep=") for override in overrides)
    sweep = run_sweep([*(() if named else DEFAULT_SWEEP), *overrides])
    Console().print(_table(sweep))


def _table(sweep: Sweep) -> Table:
    count, wall = len(sweep.trials), sweep.end - sweep.start
    parts = break_down(sweep)
    training = sum(trial.updates for trial in sweep.trials)
    per_trial = (wall * sweep.slots - training) / count
    table = Table(title=f"{count} trials, {sweep.slots} at a time", show_footer=True)
    table.add_column("busiest slot", "wall time")
    table.add_column("seconds", f"{wall:.1f}", justify="right")
    table.add_column("share", "100%", justify="right")
    for name, seconds in parts.items():
        table.add_row(name, f"{seconds:.1f}", f"{seconds / wall:.0%}")
    overhead = wall - parts["training updates"]
    later = overhead_of_later_trials(sweep)
    more = f"{statistics.mean(later):.2f} s a trial after the first of a slot; " if later else ""
    origins = Counter(trial.compiled for trial in sweep.trials)
    table.caption = (
        f"overhead {overhead:.1f} s; {more}over all slots {per_trial:.1f} s a trial "
        f"(wall time x {sweep.slots}, less {training:.1f} s of training, / {count}); programs: "
        + ", ".join(f"{number} {origin}" for origin, number in sorted(origins.items()))
    )
    return table


if __name__ == "__main__":
    with exit_on_user_error():
        main(sys.argv[1:])
