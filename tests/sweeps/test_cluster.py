"""Several machines: here three Ray node processes on one, of which one is lost midway."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

# A process of its own: Ray starts its nodes by forking, which one that has used JAX must not do.
PROGRAM = """
import sys
from ray.cluster_utils import Cluster

node = {"num_cpus": 1, "object_store_memory": 80_000_000}
cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
lost = [cluster.add_node(**node) for _ in range(2)][0]
print("address", cluster.address, flush=True)
for line in sys.stdin:
    cluster.remove_node(lost, allow_graceful=False)
cluster.shutdown()
"""


@pytest.fixture
def cluster() -> Iterator[Any]:
    """Ends one of three nodes when a line is written to it."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdin
        yield process
        process.stdin.close()


def address(cluster: Any) -> str:
    for line in cluster.stdout:
        if line.startswith("address "):
            return str(line.split()[1])
    raise AssertionError("the cluster did not start")


def test_sweep_ends_complete_although_a_node_is_killed(toy: Any, cluster: Any) -> None:
    name, steps = "nodes", 120
    process = toy.start(
        "--multirun",
        f"sweep.name={name}",
        f"ray.address={address(cluster)}",
        "rate=0.005,0.01,0.015,0.02,0.025,0.03",
        f"steps={steps}",
        "pause=0.05",
    )
    folder = toy.outputs / name
    toy.wait(lambda: sum(len(toy.table(t)) > 10 for t in folder.glob("*,id=*")) == 3)
    print("kill", file=cluster.stdin, flush=True)
    done = toy.end(process)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "its worker died; it is started again" in done.stdout
    rows = toy.rows(name)
    assert [row["status"] for row in rows] == ["finished"] * 6
    for rate, table in toy.tables(name).items():
        expected = [(step, (1 - 2 * float(rate)) ** (2 * step)) for step in range(1, steps + 1)]
        assert table == [(step, pytest.approx(loss, rel=1e-9)) for step, loss in expected]
