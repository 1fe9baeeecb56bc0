"""Ray in a process of its own: it forks, which a process that has used JAX must not do."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from sweeps.cluster import SETTINGS

SESSION = """
import os, sys
from ray.cluster_utils import Cluster

node = {"num_cpus": os.cpu_count(), "object_store_memory": 80_000_000, "include_dashboard": False}
cluster = Cluster(initialize_head=True, head_node_args=node)
print("address", cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
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
