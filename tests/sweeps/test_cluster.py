"""Several machines: here three Ray node processes on one, of which one is lost midway."""

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture
def cluster() -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 80_000_000, "include_dashboard": False}
    found = Cluster(initialize_head=True, head_node_args=node)
    try:
        for _ in range(2):
            found.add_node(num_cpus=1, object_store_memory=80_000_000)
        yield found
    finally:
        found.shutdown()


def test_sweep_ends_complete_although_a_node_is_killed(toy: Any, cluster: Any) -> None:
    name, steps = "nodes", 120
    process = toy.start(
        "--multirun",
        f"sweep.name={name}",
        f"ray.address={cluster.address}",
        "rate=0.005,0.01,0.015,0.02,0.025,0.03",
        f"steps={steps}",
        "pause=0.05",
    )
    folder = toy.outputs / name
    toy.wait(lambda: sum(len(toy.table(t)) > 10 for t in folder.glob("*,id=*")) == 3)
    cluster.remove_node(sorted(cluster.worker_nodes, key=str)[0], allow_graceful=False)
    done = toy.end(process)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "its worker died; it is started again" in done.stdout
    rows = toy.rows(name)
    assert [row["status"] for row in rows] == ["finished"] * 6
    for rate, table in toy.tables(name).items():
        expected = [(step, (1 - 2 * float(rate)) ** (2 * step)) for step in range(1, steps + 1)]
        assert table == [(step, pytest.approx(loss, rel=1e-9)) for step, loss in expected]
