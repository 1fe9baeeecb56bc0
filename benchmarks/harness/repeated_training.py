"""Train some steps twice from one state, in a process of its own, and compare the bits.

    python -m benchmarks.harness.repeated_training STEPS < VALUES.json

prints JSON: milliseconds a step, and whether the two trainings gave the same parameters. On a GPU
sums may be added up in another order each time, unless XLA is told not to (`DETERMINISTIC`).
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from benchmarks.harness.synthetic_text import synthetic_text
from benchmarks.harness.worker import ON_DEMAND
from lm.backend.devices import environment
from lm.config import parse_config
from sweeps.errors import UserError

DETERMINISTIC = "--xla_gpu_exclude_nondeterministic_ops=true"
"""Flag of XLA: only programs on a GPU that give the same bits each time."""


class Repetition(NamedTuple):
    """Two trainings from one state."""

    milliseconds: float
    """Of a step, in the second one."""
    same_bits: bool


def repeat_training(
    values: Mapping[str, Any], *, steps: int, threads: int, gpus: float, flags: str
) -> Repetition:
    """Train twice in a new process.

    Args:
      values: a composed configuration.
      steps: of each training.
      threads, gpus: as `benchmarks.harness.worker.Worker` takes them.
      flags: for XLA, beside those of the environment.

    Raises:
      UserError: it failed.
    """
    all_flags = " ".join(filter(None, (os.environ.get("XLA_FLAGS"), flags)))
    asked = environment(threads, gpus) | ON_DEMAND | {"XLA_FLAGS": all_flags}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.harness.repeated_training", str(steps)],
        input=json.dumps(values),
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        env=os.environ | asked,
    )
    if done.returncode:
        raise UserError(f"training failed: {done.stderr.strip()}")
    return Repetition(*json.loads(done.stdout))


def _train_twice(values: Mapping[str, Any], steps: int) -> Repetition:
    from benchmarks.implementations.lm_training import Training

    config = parse_config(values)
    training = Training(config, synthetic_text(config))
    first, seconds = [], 0.0
    for _ in range(2):
        training.state, training.key = training.start(config.seed)
        began = time.perf_counter()
        training.run(steps)
        seconds = time.perf_counter() - began
        first.append([np.asarray(array) for array in jax.tree.leaves(training.params)])
    same = all(np.array_equal(one, other) for one, other in zip(*first, strict=True))
    return Repetition(1000 * seconds / steps, same)


if __name__ == "__main__":
    print(json.dumps(_train_twice(json.load(sys.stdin), int(sys.argv[1]))))
