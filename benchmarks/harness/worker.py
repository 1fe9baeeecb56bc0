"""Runs one implementation in a process of its own, limited to a number of threads.

Several workers can take turns on an otherwise idle machine: none pays another's imports, and each
has its own peak memory. `Worker` is the parent's end of the pipe, `serve` the child's. A message is
a line of JSON.
"""

import importlib
import importlib.util
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NamedTuple, Self

from benchmarks.harness.synthetic_text import synthetic_text
from lm.backend.devices import environment
from lm.config import parse_config
from sweeps.errors import UserError

ON_DEMAND = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
"""On a GPU all workers hold memory at the same time, so none may reserve it in advance."""


class Timing(NamedTuple):
    """Time and memory that some steps took."""

    seconds: float
    loss: float
    """Mean loss, in nats per word."""
    peak_bytes: int
    """Peak memory so far: on the GPU where one is used, else resident memory of the process."""


class Worker:
    """The process that trains an implementation."""

    def __init__(
        self,
        module: str,
        values: Mapping[str, Any],
        threads: int,
        gpus: float = 0.0,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        """Start the process and wait for its first step.

        Args:
          module: has a class Training(config, ids, **options) with three methods: run(steps) trains
            and returns the mean loss, flush() does the work that is left for the end of an epoch,
            device_bytes() returns the peak bytes on the GPU, or None on the CPU.
          values: a composed configuration.
          threads: number of threads that it may compute with.
          gpus: share of a GPU's memory that it may reserve; 0 computes on the CPU.
        """
        self._module = module
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.harness.worker", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            env=os.environ | environment(threads, gpus) | ON_DEMAND,
        )
        self.first_step = Timing(*self._ask([values, options or {}]))

    def train(self, steps: int) -> Timing:
        """Train for a number of steps, and wait for them."""
        return Timing(*self._ask(steps))

    def flush(self) -> float:
        """Do the work that is left for the end of an epoch; returns its seconds."""
        return Timing(*self._ask(0)).seconds

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.communicate()  # closes its input, at whose end it ends

    def _ask(self, message: Any) -> Any:
        pipe = self._process
        assert pipe.stdin
        assert pipe.stdout
        with suppress(BrokenPipeError):  # the process has ended, and answers nothing
            pipe.stdin.write(json.dumps(message) + "\n")
            pipe.stdin.flush()
        answer = pipe.stdout.readline()
        if not answer:
            pipe.communicate()
            raise UserError(f"{self._module} ended early; what it said stands above.")
        return json.loads(answer)


def serve(module: str, messages: IO[str], answers: IO[str]) -> None:
    """Train for as many steps as each message says, until the messages end; 0: flush.

    The first answer counts construction and the first step, but not imports.
    """
    training_class = importlib.import_module(module).Training
    values, options = json.loads(messages.readline())
    config = parse_config(values)
    ids = synthetic_text(config)
    began = time.perf_counter()
    training = training_class(config, ids, **options)
    steps = 1
    while True:
        loss = 0.0
        if steps:
            loss = training.run(steps)
        else:
            training.flush()
        seconds = time.perf_counter() - began
        resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        peak = training.device_bytes() or resident
        print(json.dumps(Timing(seconds, loss, peak)), file=answers, flush=True)
        message = messages.readline()
        if not message:
            return
        steps = json.loads(message)
        began = time.perf_counter()


if __name__ == "__main__":
    serve(sys.argv[1], sys.stdin, sys.stdout)
