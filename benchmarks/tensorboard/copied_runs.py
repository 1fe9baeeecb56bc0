"""The runs of a large sweep, made of copies of a few real trials."""

import hashlib
import itertools
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from sweeps.naming import short_keys, trial_name
from sweeps.store import Sweep
from sweeps.store.sweep import write_sweep
from sweeps.store.trial import update_trial

AXES = {
    "model.embed_size": ("64", "96"),
    "model.rnn_size": ("128", "192"),
    "model.hidden_size": ("64", "96"),
    "optimizer.learning_rate": ("0.001", "0.01", "0.1", "0.2", "0.5"),
}
METRIC = "valid/perplexity"
TRIALS = ("+sweep=clip_level", "train.epochs=4")
"""Overrides of the sweep that is trained where no trials are given."""


def train_sources(output: Path) -> Path:
    """Train a few real trials; returns the sweep's folder."""
    command = [sys.executable, "-m", "lm.sweep", *TRIALS, f"output_dir={output}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return output / "clip_level"


def copy_runs(sources: Sequence[Path], folder: Path, runs: int) -> list[str]:
    """Write a sweep of copies of trials; returns the runs' names.

    Args:
      sources: folders of real trials.
      folder: the new sweep's.
      runs: how many.
    """
    seeds = -(-runs // math.prod(map(len, AXES.values())))
    axes = {**AXES, "seed": tuple(map(str, range(seeds)))}
    names = []
    for number, values in enumerate(itertools.islice(itertools.product(*axes.values()), runs)):
        key = hashlib.sha256(str(number).encode()).hexdigest()
        pairs = dict(zip(short_keys(list(axes)), values, strict=True))
        names.append(trial_name(pairs, key))
        _copy(sources[number % len(sources)], folder / names[-1])
        settings = dict(zip(axes, values, strict=True))
        update_trial(folder / names[-1], fingerprint=key, settings=settings)
    sweep = Sweep(folder=folder, axes=tuple(axes), metric=METRIC, replicate="seed")
    write_sweep(sweep)
    return [f"{folder.name}/{name}" for name in names]


def _copy(source: Path, target: Path) -> None:
    """Copy what TensorBoard reads of a run; the projector's files, which are large, by links."""
    target.mkdir(parents=True)
    for path in source.iterdir():
        if "tfevents" in path.name:
            shutil.copyfile(path, target / path.name)
        elif path.name == "projector":
            shutil.copytree(path, target / path.name, copy_function=os.link)
        elif path.name == "projector_config.pbtxt":
            os.link(path, target / path.name)
