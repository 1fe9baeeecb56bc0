"""An objective that trains a trial as `lm.objective.train` does, and notes where its time went.

    python -m lm.sweep ... hydra.sweeper.objective=benchmarks.harness.timed_trial.train

The functions of `PARTS` are wrapped in the worker. A part has the seconds in which none of the
parts that it calls was at work, so that the parts of a trial add up to its time.
"""

import functools
import importlib
import json
import os
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil

STARTED = time.time()
"""When this worker began to import the objective; Python and Ray were loaded."""

import jax  # noqa: E402

import lm.objective  # noqa: E402
from sweeps.tracking import Run  # noqa: E402

LOADED = time.time()
"""When the objective was imported."""
FILE = "parts.json"
"""In a trial's folder: when its worker, the imports and the trial began, and its parts."""

PARTS = {
    "configuration": ["lm.objective:parse_config"],
    "text": ["lm.objective:load_dataset", "lm.data.vocabulary:Vocabulary.save"],
    "text onto the device, keys": ["lm.training.trainer:Trainer.__init__"],
    "programs made": ["lm.training.trainer:build_functions"],
    "initial state": ["lm.training.trainer:Trainer.start"],
    "compiling, tracing": [
        "lm.training.trainer:Trainer.compile",
        "lm.monitor.monitor:StatisticsMonitor.compile",
        "lm.monitor.monitor:GeneratedSamples.compile",
    ],
    "updates": ["lm.training.trainer:Trainer.advance"],
    "evaluation": ["lm.training.trainer:Trainer.evaluate"],
    "statistics": ["lm.monitor.monitor:StatisticsMonitor.on_report"],
    "sample text": ["lm.monitor.monitor:GeneratedSamples.on_epoch"],
    "graph": ["lm.monitor.monitor:ModelGraph.on_train_begin"],
    "projector": ["lm.monitor.monitor:VectorProjector.on_epoch"],
    "vector scores": [
        "lm.monitor.monitor:VectorScores.__init__",
        "lm.monitor.monitor:VectorScores.on_epoch",
    ],
    "checkpoints": [
        "lm.training.checkpoint:CheckpointManager.save",
        "lm.training.checkpoint:CheckpointManager.keep_best",
        "lm.training.checkpoint:CheckpointManager.finish",
        "lm.training.checkpoint:CheckpointWriter.finish",
    ],
    "reports and events": [
        f"sweeps.tracking.run:Run.{name}"
        for name in (
            "report",
            "report_points",
            "log_summaries",
            "log_graph",
            "log_embeddings",
            "checkpoint_saved",
            "add_provenance",
            "close",
        )
    ],
}
"""Part of a trial -> functions, as `module:attribute` where they are looked up."""


class Clock:
    """Adds up the seconds of parts, each without those within it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._open: list[float] = []
        """Seconds of parts within each part that has begun."""

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a function of a part."""

        @functools.wraps(function)
        def call(*arguments: Any, **choices: Any) -> Any:
            began = time.perf_counter()
            self._open.append(0.0)
            try:
                return function(*arguments, **choices)
            finally:
                spent = time.perf_counter() - began
                self.seconds[part] += spent - self._open.pop()
                self._count_within(spent)

        return call

    def compiled(self, event: str, duration_secs: float, **facts: Any) -> None:
        """Take an event of `jax.monitoring`: a program was compiled, or read from the cache."""
        if event == "/jax/core/compile/backend_compile_duration":
            program = str(facts.get("fun_name", "")).removeprefix("jit(").removesuffix(")")
            self.seconds[f"compiling {program}"] += duration_secs
            self._count_within(duration_secs)

    def _count_within(self, seconds: float) -> None:
        if self._open:
            self._open[-1] += seconds


@functools.cache
def _clock() -> Clock:
    """Wrap the functions, once a process."""
    clock = Clock()
    for part, names in PARTS.items():
        for name in names:
            module, _, path = name.partition(":")
            *owners, attribute = path.split(".")
            owner = functools.reduce(getattr, owners, importlib.import_module(module))
            setattr(owner, attribute, clock.timed(part, getattr(owner, attribute)))
    jax.monitoring.register_event_duration_secs_listener(clock.compiled)
    return clock


def train(config: Mapping[str, Any], run: Run) -> None:
    """Train one model, and write where the time went into its folder."""
    clock = _clock()
    clock.seconds.clear()
    began = time.time()
    clock.timed("anything else", lm.objective.train)(config, run)
    noted = {
        "pid": os.getpid(),
        "born": psutil.Process().create_time(),
        "started": STARTED,
        "loaded": LOADED,
        "began": began,
        "ended": time.time(),
        "parts": clock.seconds,
    }
    Path(run.directory, FILE).write_text(json.dumps(noted))
