"""What a run records of its surroundings gives another process the same."""

import os

import pytest

from lm.devices import environment, surroundings


def test_surroundings_of_a_worker_are_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    share = environment(3, 0)
    for name, value in share.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XLA_FLAGS", "--a")
    found = surroundings()
    assert found["cpus"] == 3
    assert {**share, "XLA_FLAGS": "--a"}.items() <= found["environment"].items()


def test_threads_that_nobody_set_are_the_cores_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NPROC", raising=False)
    found = surroundings()
    assert 1 <= found["cpus"] <= (os.cpu_count() or 1)
    assert found["environment"]["NPROC"] == str(found["cpus"])
