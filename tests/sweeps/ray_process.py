"""Ray in a process of its own: it forks, which a process that has used JAX must not do."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from sweeps.cluster import SETTINGS

SESSION = """
import sys
import ray

ray.init("local", include_dashboard=False, object_store_memory=100_000_000)
print("address", ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.read()
"""


@contextmanager
def ray_process(program: str = SESSION) -> Iterator[tuple[str, IO[str]]]:
    """Run a program that starts Ray, prints its address, and ends when its input does.

    Yields:
      The address, and the program's input.
    """
    pipe, quiet = subprocess.PIPE, subprocess.DEVNULL
    command, environment = [sys.executable, "-c", program], {**os.environ, **SETTINGS}
    with subprocess.Popen(
        command, env=environment, text=True, stdin=pipe, stdout=pipe, stderr=quiet
    ) as process:
        assert process.stdin
        assert process.stdout
        told = (line for line in process.stdout if line.startswith("address "))
        yield next(told).split()[1], process.stdin
