"""Trials that train together in this process."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from lm.objective import train_pack as train_runs
from sweeps.store.provenance import add_provenance
from sweeps.store.trial import Trial, read_trial
from sweeps.tracking import OnReport, Run, Stop
from tests.lm.helpers.training import final_state

Compose = Callable[..., dict[str, Any]]
StopSignal = Callable[[float], Stop | None]
LANES: dict[str, Sequence[str]] = {
    "plain": (),
    "seed": ("seed=3", "model.dropout=0.1"),
    "rate": ("optimizer.learning_rate=0.2", "optimizer.hold_epochs=1", "optimizer.decay=0.5"),
    "clip": ("train.clip_norm=0.1", "optimizer.momentum=0.5", "model.embed_scale=0.3"),
    "scale": ("model.initializer.scale=2", "model.forget_bias=0", "model.dropout=0.4"),
    "short": ("train.epochs=1", "seed=4"),
    "changes": ("train.changes=[{step:10,optimizer.learning_rate:0.01}]",),
    "diverges": ("optimizer.learning_rate=1e38", "train.clip_norm=null"),
}
NAMES = [name for name in LANES if name != "diverges"]
DROPOUT = "model.dropout=0.2"


def lanes(tiny: Compose, *names: str, options: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """Values of the trials of these names."""
    return {name: tiny(DROPOUT, *options, *LANES[name]) for name in names}


def train_pack(
    folder: Path,
    trials: Mapping[str, Mapping[str, Any]],
    on_report: Mapping[str, OnReport] | None = None,
    stop_signal: Mapping[str, StopSignal] | None = None,
    width: int | None = None,
) -> dict[str, Trial]:
    """Trains trials, by name, in folders of these names; `width`: as if begun among so many."""
    with ExitStack() as stack:
        runs = []
        for name in trials:
            (folder / name).mkdir(exist_ok=True, parents=True)
            if width:
                add_provenance(folder / name, lanes=width)
            hooks: dict[str, Any] = {"on_report": (on_report or {}).get(name)}
            if name in (stop_signal or {}):
                hooks["stop_signal"] = stop_signal[name]
            run = Run(folder / name, metric="valid/perplexity", mode="min", **hooks)
            runs.append(stack.enter_context(run))
        train_runs(list(trials.values()), runs)
    return {name: read_trial(folder / name) for name in trials}


def assert_same_parameters(
    folder: Path, other: Path, trials: Mapping[str, Mapping[str, Any]]
) -> None:
    """The trials of two packs, by name and values, end with the same bits of training's state."""
    for name, values in trials.items():
        ends = (final_state(place / name, values) for place in (folder, other))
        for a, b in zip(*ends, strict=True):
            np.testing.assert_array_equal(a, b)
