"""Ray in a process of its own: it forks, which a process that has used JAX must not do."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from sweeps.tune.session import SETTINGS

SESSION = """
import sys
from ray.cluster_utils import Cluster

cpus = int(sys.argv[1])
node = {"num_cpus": cpus, "object_store_memory": 80_000_000, "include_dashboard": False}
cluster = Cluster(initialize_head=True, head_node_args=node)
print("address", cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""


@contextmanager
def ray_process(
    program: str = SESSION, cpus: int | None = os.cpu_count()
) -> Iterator[tuple[str, IO[str]]]:
    """Run a program that starts Ray, prints its address, and ends when its input does.

    Args:
      program: its text.
      cpus: that the session has, whatever the machine has.

    Yields:
      The address, and the program's input.
    """
    pipe, quiet = subprocess.PIPE, subprocess.DEVNULL
    command = [sys.executable, "-c", program, str(cpus)]
    environment = {**os.environ, **SETTINGS}
    with subprocess.Popen(
        command, env=environment, text=True, stdin=pipe, stdout=pipe, stderr=quiet
    ) as process:
        assert process.stdin
        assert process.stdout
        told = (line for line in process.stdout if line.startswith("address "))
        yield next(told).split()[1], process.stdin
