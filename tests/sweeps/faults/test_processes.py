"""Processes that die and signals that come: what is saved is kept, and the same command goes on."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from sweeps.io.atomic import read_json
from tests.sweeps.helpers.ray_process import ray_process

pytestmark = pytest.mark.fault

SWEEP = ["--multirun", "sweep.name=p", "rate=0.01,0.02,0.03", "steps=60", "pause=0.04"]
Tables = dict[str, list[tuple[int, float]]]


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, ray_session: str) -> Tables:
    """All values of the sweep where nothing happens to it."""
    from tests.sweeps.conftest import Toy

    toy = Toy(tmp_path_factory.mktemp("undisturbed"))
    toy.ray = ray_session
    assert toy(*SWEEP).returncode == 0
    return toy.tables("p")


@pytest.fixture
def goes_on(toy: Any, ray_session: str, undisturbed: Tables) -> Callable[[], None]:
    """Give the same command again, and compare every value with those of a quiet run."""

    def check() -> None:
        toy.ray = ray_session
        again = toy(*SWEEP)
        assert again.returncode == 0, again.stdout + again.stderr
        assert {row["status"] for row in toy.rows("p")} == {"finished"}
        assert toy.tables("p") == undisturbed

    return check


def start(toy: Any) -> subprocess.Popen[str]:
    """Start the sweep with a Ray session of its own; returns when a trial has made some steps."""
    process: subprocess.Popen[str] = toy.start(*SWEEP, new_session=True)
    toy.wait(lambda: any(len(toy.table(t)) > 5 for t in (toy.outputs / "p").glob("*,id=*")))
    return process


def ray_processes(driver: int) -> Iterator[tuple[str, int]]:
    """Kind and number of each process of a driver's Ray session."""
    for process in psutil.Process(driver).children(recursive=True):
        title = " ".join(process.cmdline())
        for kind in ("gcs_server", "raylet", "DashboardAgent", "RuntimeEnvAgent"):
            if title.startswith(f"ray::{kind}") or f"/{kind} " in title:
                yield kind, process.pid
        if title.startswith("ray::") and "Agent" not in title:
            yield "worker", process.pid


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended may stay in the table where nobody waits for it."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def statuses(toy: Any) -> set[str]:
    """Statuses of the trials: the last of them may not have begun."""
    return {row["status"] for row in toy.rows("p")}


def end(toy: Any, process: subprocess.Popen[str], seconds: float) -> Any:
    """Wait for the end of a sweep, which has to come in time."""
    began = time.monotonic()
    done = toy.end(process)
    assert time.monotonic() - began < seconds
    assert "Traceback" not in done.stderr
    assert "***" not in done.stderr  # how Ray logs a signal
    return done


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "log"),
    [
        ("raylet", "raylet.err"),
        ("DashboardAgent", "raylet.err"),
        ("RuntimeEnvAgent", "raylet.err"),
        ("gcs_server", "gcs_server.err"),
    ],
)
def test_sweep_ends_with_its_table_where_ray_has_died(
    toy: Any, goes_on: Callable[[], None], kind: str, log: str
) -> None:
    process = start(toy)
    os.kill(dict(ray_processes(process.pid))[kind], signal.SIGKILL)
    done = end(toy, process, 30)
    assert done.returncode == 1
    assert "has ended; its log is" in done.stderr
    assert "the same command goes on" in done.stderr
    path = Path(done.stderr.partition("its log is ")[2].partition(";")[0])
    assert path.name == log
    assert path.exists()
    assert "look at it:" in done.stdout
    assert "interrupted" in statuses(toy) <= {"interrupted", "waiting", "finished"}
    goes_on()


@pytest.mark.slow
def test_sweep_ends_where_a_cluster_does_not_answer(toy: Any, goes_on: Callable[[], None]) -> None:
    """No process of a cluster is this one's: it is asked, and gives no answer."""
    with ray_process() as (address, _):
        toy.ray = address
        process = start(toy)
        port = int(address.rpartition(":")[2])
        servers = {
            one.pid
            for one in psutil.net_connections("tcp")
            if one.status == psutil.CONN_LISTEN and one.laddr.port == port
        }
        os.kill(servers.pop(), signal.SIGKILL)
        done = end(toy, process, 45)
    assert done.returncode == 1
    assert f"the Ray cluster at {address} has not answered for" in done.stderr
    assert "look at it:" in done.stdout
    goes_on()


@pytest.mark.slow
def test_killed_worker_and_killed_driver_lose_nothing_that_was_saved(
    toy: Any, goes_on: Callable[[], None]
) -> None:
    process = start(toy)
    pids = list(ray_processes(process.pid))
    os.kill(dict(pids)["worker"], signal.SIGKILL)
    time.sleep(1)
    process.kill()
    assert toy.end(process).returncode == -signal.SIGKILL
    # Ray's agents look for a GCS server for a minute.
    toy.wait(lambda: not any(is_alive(pid) for kind, pid in pids if "Agent" not in kind))
    goes_on()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("who", "number"),
    [
        ("driver", signal.SIGUSR1),
        ("group", signal.SIGTERM),
        ("group", signal.SIGHUP),
        ("all", signal.SIGTERM),
    ],
)
def test_signal_has_the_trials_save(
    toy: Any, goes_on: Callable[[], None], who: str, number: signal.Signals
) -> None:
    """Supervisors signal the driver, its process group, or every process of a job."""
    process = start(toy)
    if who == "driver":
        process.send_signal(number)
    elif who == "group":
        os.killpg(process.pid, number)
    else:
        for pid in [process.pid, *(pid for _, pid in ray_processes(process.pid))]:
            os.kill(pid, number)
    done = end(toy, process, 10)
    assert done.returncode == 128 + number, done.stderr
    assert "look at it:" in done.stdout
    assert "interrupted" in statuses(toy) <= {"interrupted", "waiting"}
    for path in (toy.outputs / "p").glob("*/checkpoints/state.json"):
        state = read_json(path)
        assert state is not None
        assert state["step"] == toy.table(path.parents[1])[-1][0]
    goes_on()


@pytest.mark.usefixtures("joined")
def test_trial_whose_folder_is_removed_is_named(toy: Any, goes_on: Callable[[], None]) -> None:
    process = start(toy)
    running = [path for path in (toy.outputs / "p").glob("*,id=*") if len(toy.table(path)) > 5]
    running[0].rename(toy.folder / "removed")
    done = end(toy, process, 60)
    assert done.returncode == 1
    assert f"1 trial of this run has no folder any more: {running[0].name}" in done.stdout
    assert len(toy.rows("p")) == 2
    goes_on()


@pytest.fixture
def small_disk(toy: Any) -> Iterator[Path]:
    """A disk of a few megabytes for the results."""
    folder: Path = toy.outputs
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("to mount a small disk needs root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(path: Path) -> None:
    """Write a file until the disk takes no byte more."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


@pytest.mark.slow
@pytest.mark.parametrize("cluster", [False, True])
def test_full_disk_is_called_so_and_hides_no_table(
    toy: Any, goes_on: Callable[[], None], small_disk: Path, cluster: bool, ray_session: str
) -> None:
    toy.ray = ray_session if cluster else None
    process = start(toy)
    fill(small_disk / "fill")
    done = end(toy, process, 60)
    assert done.returncode == 1
    assert "No space left on device" in done.stdout
    assert "without a result" not in done.stdout
    assert "look at it:" in done.stdout
    assert "No space left on device): the disk is full; free some space" in done.stderr
    again = end(toy, toy.start(*SWEEP), 60)
    assert again.returncode == 1
    assert "No space left on device" in again.stderr
    (small_disk / "fill").unlink()
    goes_on()
