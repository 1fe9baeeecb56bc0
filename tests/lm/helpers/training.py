"""Training in this process, and what it left."""

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from lm.config import parse_config
from lm.data.dataset import load_dataset
from lm.objective import train
from lm.training.checkpoint import CheckpointManager
from lm.training.trainer import Trainer
from sweeps.store.metrics import read_metrics
from sweeps.store.trial import Trial, read_trial
from sweeps.tracking import OnReport, Run

TIMINGS = {"wall_time", "words_per_second"}
"""Last part of the tags that a clock measured."""


def run(
    directory: Path, values: Mapping[str, Any], on_report: OnReport | None = None, **hooks: Any
) -> Trial:
    """Train by itself what a configuration says, in a folder."""
    directory.mkdir(exist_ok=True, parents=True)
    metric: dict[str, Any] = {"metric": "valid/perplexity", "mode": "min"}
    kept = values["sweep"]["keep_checkpoints"]
    with Run(directory, **metric, on_report=on_report, keep_checkpoints=kept, **hooks) as run:
        train(values, run)
    return read_trial(directory)


def killed_at(step: int) -> OnReport:
    """The process dies at this report, before anything more is saved."""

    def on_report(at: int, metrics: Mapping[str, float], total: int | None) -> None:
        if at == step:
            raise KeyboardInterrupt

    return on_report


def signalled_at(step: int) -> OnReport:
    """Ctrl-C arrives while this report is written."""

    def on_report(at: int, metrics: Mapping[str, float], total: int | None) -> None:
        if at == step:
            os.kill(os.getpid(), signal.SIGINT)

    return on_report


def history(directory: Path) -> list[dict[str, float]]:
    """The rows of metrics.csv without what a clock measured."""
    rows = read_metrics(directory / "metrics.csv")
    return [{tag: row[tag] for tag in row if tag.split("/")[-1] not in TIMINGS} for row in rows]


def final_state(directory: Path, values: Mapping[str, Any]) -> list[np.ndarray]:
    """The arrays of the last checkpoint."""
    config = parse_config(values)
    like = Trainer(config, load_dataset(config.data)).functions.shapes
    state = CheckpointManager(directory / "checkpoints").restore(like)
    return [np.asarray(leaf) for leaf in jax.tree.leaves(state)]


def assert_same(one: Path, other: Path, values: Mapping[str, Any]) -> None:
    """Every reported bit, and every bit of the last checkpoint."""
    np.testing.assert_equal(history(one), history(other))  # NaN equals NaN
    pairs = zip(final_state(one, values), final_state(other, values), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)


def write_in_lines(text: str, folder: Path) -> Path:
    """Write a text in lines of nine words; returns the file."""
    words = text.split()
    path = folder / "text.txt"
    path.write_text("\n".join(" ".join(words[i : i + 9]) for i in range(0, len(words), 9)))
    return path
