"""Trials that wait for a machine or for CPUs are explained, once."""

from collections.abc import Sequence

import pytest

from sweeps.tune.session import SessionLost
from sweeps.tune.wait_notice import WAIT_SECONDS, WaitNotice


class Cluster:
    """What the driver sees of a cluster, and what it tells the user."""

    def __init__(
        self, cpus: Sequence[int], holders: Sequence[str] | None, *, is_local: bool = False
    ) -> None:
        self.now, self.lines = 0.0, list[str]()
        self.cpus, self.holders = cpus, holders
        self.notice = WaitNotice(
            2,
            0.0,
            self.lines.append,
            is_local=is_local,
            clock=lambda: self.now,
            nodes=lambda: [{"CPU": count} for count in self.cpus],
            holders=lambda: self.holders,
        )

    def wait(self, seconds: float, *, is_running: bool = False) -> None:
        self.now += seconds
        self.notice.update(is_running=is_running)


@pytest.mark.parametrize(
    ("cpus", "holders", "told"),
    [
        (
            [],
            [],
            "2 CPUs and 0 GPUs, and the machines that are left have nothing. Waiting.",
        ),
        (
            [1, 1],
            [],
            "the machines that are left have 1 CPUs and 0 GPUs, 1 CPUs and 0 GPUs. Waiting",
        ),
        ([4], ["python a.py (process 7 on 10.0.0.1)"], "held by python a.py (process 7 on 10.0"),
        ([4], [], "held by tasks or reservations (ray status shows them)"),
    ],
)
def test_reason_is_told_once_after_a_while(cpus: list[int], holders: list[str], told: str) -> None:
    cluster = Cluster(cpus, holders)
    cluster.wait(WAIT_SECONDS - 1)
    assert not cluster.lines
    cluster.wait(2)
    cluster.wait(1000)
    (line,) = cluster.lines
    assert told in line
    cluster.wait(1, is_running=True)
    cluster.wait(1)
    assert len(cluster.lines) == 1
    cluster.wait(WAIT_SECONDS)
    assert len(cluster.lines) == 2


def test_session_that_nobody_else_uses_is_not_waited_for() -> None:
    cluster = Cluster([4], [], is_local=True)
    with pytest.raises(SessionLost, match="starts no trial: each asks for 2 CPUs and 0 GPUs"):
        cluster.wait(WAIT_SECONDS + 1)


@pytest.mark.parametrize("is_local", [False, True])
def test_worker_of_this_program_that_is_slow_to_start_is_waited_for(is_local: bool) -> None:
    cluster = Cluster([4], None, is_local=is_local)
    for _ in range(9):
        cluster.wait(WAIT_SECONDS)
    (line,) = cluster.lines
    assert "Ray is still starting their workers" in line
    cluster.holders = []
    if is_local:
        with pytest.raises(SessionLost):
            cluster.wait(WAIT_SECONDS)
