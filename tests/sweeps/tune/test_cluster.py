"""Several machines: here three Ray node processes on one, of which one is lost midway."""

from typing import Any

import pytest

from tests.sweeps.helpers.ray_process import ray_process

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


@pytest.mark.fault
def test_sweep_ends_complete_although_a_node_is_killed(toy: Any) -> None:
    command, steps = ["--multirun", "sweep.name=nodes", "rate=0.005,0.01,0.015,0.02"], 120
    with ray_process(PROGRAM) as (address, lines):
        process = toy.start(*command, f"ray.address={address}", f"steps={steps}", "pause=0.05")
        folder = toy.outputs / "nodes"
        toy.wait(lambda: sum(len(toy.table(t)) > 10 for t in folder.glob("*,id=*")) == 3)
        print("kill", file=lines, flush=True)
        done = toy.end(process)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "its worker died; it is started again" in done.stdout
    assert [row["status"] for row in toy.rows("nodes")] == ["finished"] * 4
    for rate, table in toy.tables("nodes").items():
        expected = [(step, (1 - 2 * float(rate)) ** (2 * step)) for step in range(1, steps + 1)]
        assert table == [(step, pytest.approx(loss, rel=1e-9)) for step, loss in expected]
