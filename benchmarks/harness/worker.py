"""One implementation in a process of its own, held to so many threads, that trains when told to.

So several of them can take turns on an otherwise idle machine, none pays another's imports, and
each has its own peak memory. Both ends of the pipe stand here: `Contender` is the one that tells,
`serve` the one that trains; a message is a line of JSON.
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
from lm.config.load import parse_config
from sweeps.errors import UserError

ON_DEMAND = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
"""On a GPU all contenders hold memory at a time; none may take it for the others' turns."""


class Turn(NamedTuple):
    """What some steps cost."""

    seconds: float
    loss: float
    """Mean, in nats per word."""
    peak_bytes: int
    """Most memory in use so far: on a GPU there, else what is resident of the process."""


class Contender:
    """The process of an implementation."""

    def __init__(
        self,
        module: str,
        values: Mapping[str, Any],
        threads: int,
        gpus: float = 0.0,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        """Start it and wait for its first step.

        Args:
          module: has a class Training(config, ids, **options) with the methods run(steps) -> mean
            loss, settle() -> what is left for the end of an epoch, and device_bytes() -> most bytes
            in use on a GPU, or None on the CPU.
          values: a composed configuration.
          threads: that it may compute with.
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
        self.first_turn = Turn(*self._ask([values, options or {}]))

    def train(self, steps: int) -> Turn:
        """Let it take steps, and wait for them."""
        return Turn(*self._ask(steps))

    def settle(self) -> float:
        """Let it do what is left for the end of an epoch; gives the seconds it takes."""
        return Turn(*self._ask(0)).seconds

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.communicate()  # closes its input, at whose end it ends

    def _ask(self, message: Any) -> Any:
        pipe = self._process
        assert pipe.stdin
        assert pipe.stdout
        with suppress(BrokenPipeError):  # it has ended, and gives no answer
            pipe.stdin.write(json.dumps(message) + "\n")
            pipe.stdin.flush()
        answer = pipe.stdout.readline()
        if not answer:
            pipe.communicate()
            raise UserError(f"{self._module} ended early; what it said stands above.")
        return json.loads(answer)


def serve(module: str, messages: IO[str], answers: IO[str]) -> None:
    """Train as told, until the messages end: so many steps, or 0 for what ends an epoch.

    The first answer is about construction and the first step, imports left out.
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
            training.settle()
        seconds = time.perf_counter() - began
        resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        peak = training.device_bytes() or resident
        print(json.dumps(Turn(seconds, loss, peak)), file=answers, flush=True)
        message = messages.readline()
        if not message:
            return
        steps = json.loads(message)
        began = time.perf_counter()


if __name__ == "__main__":
    serve(sys.argv[1], sys.stdin, sys.stdout)
