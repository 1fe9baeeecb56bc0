"""One machine at a time runs a sweep at a URL."""

import json
import signal
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sweeps.errors import UserError
from sweeps.io import lease as module
from sweeps.io.lease import hold_lease
from sweeps.io.mirror import Mirror
from sweeps.io.retry import VARIABLE

pytestmark = pytest.mark.fault

Machine = Callable[[str], Mirror]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fiftieth of the times."""
    for name in ("RENEW_SECONDS", "LEASE_SECONDS", "SETTLE_SECONDS"):
        monkeypatch.setattr(module, name, getattr(module, name) / 50)
    monkeypatch.setenv(VARIABLE, "0")


@pytest.fixture(params=["file", "memory"])
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Machine:
    """Name of a machine -> its mirror of one and the same store."""
    where = {"file": f"file://{tmp_path}/store", "memory": f"memory://{uuid.uuid4().hex}/store"}
    return lambda name: Mirror(where[request.param], tmp_path / name, wait=True)


def crash(mirror: Mirror, monkeypatch: pytest.MonkeyPatch, **fields: Any) -> None:
    """Leave a lease as a killed process does, with other fields if given."""
    with monkeypatch.context() as patch:
        patch.setattr(module.socket, "gethostname", lambda: "node7")
        keeper = module._Keeper(mirror, "grid")
        keeper.take()
    if fields:
        known = json.loads(mirror.read_file(".grid.lease") or b"")
        mirror.write_file(".grid.lease", json.dumps(known | fields).encode())


@pytest.fixture
def signals(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Signals that are sent to this process."""
    sent: list[int] = []
    monkeypatch.setattr(module.os, "kill", lambda process, number: sent.append(number))
    return sent


def test_a_second_machine_is_refused_and_told_who_runs_it(machine: Machine) -> None:
    one, other = machine("one"), machine("other")
    with hold_lease(one, "grid"):
        time.sleep(1.5 * module.LEASE_SECONDS)  # it is renewed
        with (
            pytest.raises(UserError, match=r"runs the sweep grid at .*, since 20.*wait for it, or"),
            hold_lease(other, "grid"),
        ):
            pass
        with hold_lease(other, "another"):
            pass
    with hold_lease(other, "grid"):
        pass
    assert one.list_names() == []


def test_no_lease_without_a_url() -> None:
    with hold_lease(None, "grid"):
        pass


def test_a_crashed_owner_s_lease_runs_out(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    crash(machine("one"), monkeypatch)
    other = machine("other")
    with pytest.raises(UserError, match="node7 runs the sweep grid"), hold_lease(other, "grid"):
        pass
    time.sleep(module.LEASE_SECONDS)
    with hold_lease(other, "grid"):
        pass
    assert "node7 ran the sweep grid" in caplog.text


def test_a_machine_takes_its_own_crashed_lease_over_at_once(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = machine("one")
    crash(one, monkeypatch)
    start = time.monotonic()
    with hold_lease(one, "grid"):
        assert time.monotonic() - start < module.LEASE_SECONDS


@pytest.mark.parametrize("skew", [-3600.0, 3600.0])
def test_clocks_apart_neither_end_a_lease_nor_keep_it(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, skew: float
) -> None:
    one, other = machine("one"), machine("other")

    class Skewed:
        """The clock of the first machine, by which its leases are renewed."""

        def __getattr__(self, name: str) -> Any:
            return getattr(time, name)

        def time(self) -> float:
            ahead = threading.current_thread() is not threading.main_thread()
            return time.time() + (skew if ahead else 0.0)

    monkeypatch.setattr(module, "time", Skewed())
    with hold_lease(one, "grid"):
        time.sleep(2 * module.RENEW_SECONDS)
        with pytest.raises(UserError, match="runs the sweep grid"), hold_lease(other, "grid"):
            pass
    crash(one, monkeypatch, renewed=time.time() + skew)
    with hold_lease(other, "grid"):
        pass


def test_a_lease_that_another_machine_took_stops_this_one(
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
    signals: list[int],
    caplog: pytest.LogCaptureFixture,
) -> None:
    one, other = machine("one"), machine("other")
    with hold_lease(one, "grid"):
        other.write_file(".grid.lease", b"")  # this machine had been away, and its lease ran out
        other.delete_file(".grid.lease")
        crash(other, monkeypatch)
        deadline = time.monotonic() + 60
        while not signals:
            assert time.monotonic() < deadline
            time.sleep(module.RENEW_SECONDS / 10)
        time.sleep(2 * module.RENEW_SECONDS)  # no other signal follows
    assert signals == [signal.SIGINT]
    assert "node7 has taken over the sweep grid" in caplog.text
    assert one.list_names() == [".grid.lease"]  # the other's stays


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"owner": 1}', b"\xff", b"[" * 99999])
def test_a_damaged_lease_is_none(machine: Machine, content: bytes) -> None:
    one = machine("one")
    one.write_file(".grid.lease", content)
    with hold_lease(one, "grid"):
        pass


def test_of_machines_that_start_at_once_one_goes_on(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_have_read, all_have_written, all_have_ended = (threading.Barrier(4) for _ in range(3))
    read, write = module._Keeper._read, module._Keeper._write
    one_at_a_time = threading.Lock()  # fsspec's memory is not made for threads

    def read_alone(keeper: module._Keeper, wait: bool = True) -> module.Lease | None:
        with one_at_a_time:
            return read(keeper, wait)

    def write_after_all_have_read(keeper: module._Keeper, wait: bool = True) -> None:
        if wait:  # it is no renewal
            all_have_read.wait()
        with one_at_a_time:
            write(keeper, wait)

    class Clock:
        """Reads a lease again when all have written theirs."""

        time, monotonic = staticmethod(time.time), staticmethod(time.monotonic)

        @staticmethod
        def sleep(seconds: float) -> None:
            all_have_written.wait()

    monkeypatch.setattr(module._Keeper, "_read", read_alone)
    monkeypatch.setattr(module._Keeper, "_write", write_after_all_have_read)
    monkeypatch.setattr(module, "time", Clock)
    outcomes: list[str] = []

    def run(mirror: Mirror) -> None:
        try:
            with hold_lease(mirror, "grid"):
                outcomes.append("runs")
                all_have_ended.wait()
        except UserError:
            outcomes.append("refused")
            all_have_ended.wait()

    mirrors = [machine(f"machine {number}") for number in range(4)]
    threads = [threading.Thread(target=run, args=[mirror]) for mirror in mirrors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused", "refused", "refused", "runs"]


def test_a_lease_that_another_machine_overwrites_meanwhile_is_written_again(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, reads = machine("one"), iter([None, b"", None])
    read = one.read_file
    monkeypatch.setattr(one, "read_file", lambda *args, **kwargs: next(reads, read(*args)))
    with hold_lease(one, "grid"):
        pass
    assert next(reads, "all read") == "all read"


def test_a_store_that_keeps_nothing_is_told(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = machine("one")
    monkeypatch.setattr(one, "read_file", lambda *args, **kwargs: None)
    with pytest.raises(UserError, match="cannot be read again"), hold_lease(one, "grid"):
        pass
