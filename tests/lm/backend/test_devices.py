"""What a run records of its surroundings gives another process the same."""

import os

import pytest

from lm.backend import devices
from lm.backend.devices import DEVICES, environment, runtime_environment, set_devices


def test_surroundings_of_a_worker_are_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    share = environment(3, 0)
    for name, value in share.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XLA_FLAGS", "--a")
    found = runtime_environment()
    assert found["cpus"] == 3
    assert {**share, "XLA_FLAGS": "--a"}.items() <= found["environment"].items()


@pytest.mark.parametrize(
    ("cpus", "asked", "devices"),
    [(1, None, "1"), (2, None, "2"), (8, None, "2"), (8, "4", "4"), (2, "1", "1"), (1, "2", "1")],
)
def test_cores_are_at_most_two_devices_unless_the_user_says_so(
    monkeypatch: pytest.MonkeyPatch, cpus: int, asked: str | None, devices: str
) -> None:
    monkeypatch.setenv("NPROC", str(cpus))
    monkeypatch.delenv(DEVICES)
    if asked is not None:
        monkeypatch.setenv(DEVICES, asked)
    assert environment(cpus, 0)[DEVICES] == devices
    set_devices()
    assert os.environ[DEVICES] == (asked or devices)
    assert runtime_environment()["environment"][DEVICES] == os.environ[DEVICES]


def test_threads_that_nobody_set_are_the_cores_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NPROC", raising=False)
    found = runtime_environment()
    assert 1 <= found["cpus"] <= (os.cpu_count() or 1)
    assert found["environment"]["NPROC"] == str(found["cpus"])


@pytest.mark.parametrize(
    ("threads", "facts", "eigen"),
    [
        ("1", {"vendor_id\t: GenuineIntel", "flags\t\t: fpu avx2 avx512f"}, True),
        ("2", {"vendor_id\t: GenuineIntel", "flags\t\t: fpu avx2 avx512f"}, False),
        ("1", {"vendor_id\t: GenuineIntel", "flags\t\t: fpu avx2"}, False),
        ("1", {"vendor_id\t: AuthenticAMD", "flags\t\t: fpu avx2 avx512f"}, False),
        ("1", {"arm64"}, False),
    ],
)
def test_products_are_eigens_where_that_was_measured_to_be_faster(
    monkeypatch: pytest.MonkeyPatch, threads: str, facts: set[str], eigen: bool
) -> None:
    monkeypatch.setenv("NPROC", threads)
    monkeypatch.setattr(devices, "processor", lambda: facts)
    assert devices.prefers_eigen() == eigen
