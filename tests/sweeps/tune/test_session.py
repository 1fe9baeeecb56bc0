"""A Ray session starts, is told of where it does not, and is left even where it hangs."""

import errno
import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from sweeps.errors import UserError
from sweeps.tracking import Interrupt
from sweeps.tune import session
from sweeps.tune.session import RaySession, SessionLost

TIMED_OUT = Exception("The current node timed out during startup. This could happen because")


@pytest.fixture
def fake_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    """Replace `ray.init` by one that raises what is in the list, in turn, then succeeds."""
    import ray

    raised: list[Any] = []

    def init(**options: Any) -> None:
        if raised:
            raise raised.pop(0)

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(session, "private_folder", lambda: tmp_path)
    monkeypatch.setattr(session, "process_limit", lambda: None)
    monkeypatch.setattr(session, "exit_without_ray", lambda status: None)
    monkeypatch.setattr(session, "SessionWatch", lambda *arguments: Watch(None))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    return raised


class Watch:
    """Tells of a loss, or of none."""

    def __init__(self, reason: str | None) -> None:
        self.reason = reason
        self.killed = False

    def loss(self) -> str | None:
        return self.reason

    def kill(self) -> None:
        self.killed = True

    def stop(self) -> None:
        self.reason = None


def test_start_that_takes_too_long_is_tried_once_more(fake_start: list[Any]) -> None:
    fake_start.append(TIMED_OUT)
    assert RaySession(None, lambda ray: ray.is_local).run()
    fake_start.extend([TIMED_OUT, TIMED_OUT])
    with pytest.raises(UserError, match=r"did not start in its time .* too busy: give the same"):
        RaySession(None, lambda ray: None).run()
    assert not fake_start


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            PermissionError(errno.EACCES, "Permission denied", "/x/.ray"),
            "on this machine .*'/x/.ray'",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), "a disk is full .* RAY_TMPDIR=DIR"),
        (RuntimeError("Could not determine home directory"), "on this machine .*home directory"),
        (ValueError("bad"), r"on this machine \(ValueError: bad\)"),
        (KeyError("HOME"), "on this machine .*HOME"),
        (Exception("first\nand pages more"), r"on this machine \(Exception: first\)"),
    ],
)
def test_whatever_ray_raises_at_its_start_is_one_sentence(
    fake_start: list[Any], error: Exception, told: str
) -> None:
    fake_start.append(error)
    with pytest.raises(UserError, match=told) as raised:
        RaySession(None, lambda ray: None).run()
    assert "\n" not in str(raised.value)
    assert "ray.address" not in str(raised.value)  # nothing is wrong with an address


@pytest.mark.parametrize("error", [ConnectionError("no"), TIMED_OUT, Exception("Unauthenticated")])
def test_cluster_that_cannot_be_joined_is_named(fake_start: list[Any], error: Exception) -> None:
    fake_start.append(error)
    with pytest.raises(UserError, match=r"join the cluster at ray.address=auto .* RAY_AUTH_MODE"):
        RaySession("auto", lambda ray: None).run()


def test_broken_library_is_one_sentence(
    fake_start: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(name: str) -> None:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(session, "import_module", load)
    with pytest.raises(UserError, match=r"cannot start on this machine .*home directory"):
        RaySession(None, lambda ray: None).run()


def test_low_limit_of_processes_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (60, 60))
    told = str(session.start_error(TIMED_OUT, "local"))
    assert "may have 60 processes and threads" in told
    assert "ulimit -u" in told
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (100_000, 100_000))
    assert session.process_limit() is None


def test_each_session_has_a_token_that_is_in_no_file(fake_start: list[Any]) -> None:
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        os.environ.pop(name, None)
    RaySession(None, lambda ray: None).run()
    assert len(os.environ["RAY_AUTH_TOKEN"]) == 64
    os.environ.pop("RAY_AUTH_TOKEN")
    os.environ["RAY_AUTH_TOKEN_PATH"] = "/of/the/user"
    RaySession(None, lambda ray: None).run()
    assert "RAY_AUTH_TOKEN" not in os.environ


def test_token_for_clusters_is_readable_for_its_user_alone(
    fake_start: list[Any], tmp_path: Path
) -> None:
    token = tmp_path / ".ray" / "auth_token"
    token.parent.mkdir()
    token.write_text("secret")
    token.chmod(0o644)
    os.environ["HOME"] = str(tmp_path)
    RaySession("auto", lambda ray: None).run()
    assert token.stat().st_mode & 0o777 == 0o600
    assert token.read_text() == "secret"


def test_user_whom_the_system_does_not_know_gets_a_home(
    fake_start: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", home)
    assert RaySession(None, lambda ray: os.environ["HOME"]).run() == str(tmp_path.parent)


def test_folder_of_ray_is_for_its_user_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setattr(session, "SOCKET_PATH", 1000)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    old = tmp_path / f"ray-{os.getuid()}"
    old.mkdir(mode=0o777)
    old.chmod(0o777)
    assert session.private_folder() == old / "ray"
    assert old.stat().st_mode & 0o777 == 0o700
    old.rmdir()
    (tmp_path / "elsewhere").mkdir()
    old.symlink_to(tmp_path / "elsewhere")  # made by somebody who expects the user here
    folder = session.private_folder().parent
    assert folder.resolve() != tmp_path / "elsewhere"
    assert folder.stat().st_mode & 0o777 == 0o700


def test_path_too_long_for_sockets_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("d" * 100)
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setenv("TMPDIR", str(long))
    assert session.private_folder() == Path(f"/tmp/ray-{os.getuid()}/ray")
    monkeypatch.setenv("RAY_TMPDIR", str(long))  # the user's wish
    with pytest.raises(UserError, match=r"dd is too long .* short path .* RAY_TMPDIR=DIR"):
        session.private_folder()
    monkeypatch.setenv("RAY_TMPDIR", "/proc/none")
    with pytest.raises(UserError, match="/proc/none: No such file"):
        session.private_folder()


def test_session_that_is_lost_is_left_though_a_call_never_returns(
    fake_start: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    watch, released, returned = Watch(None), threading.Event(), threading.Event()
    monkeypatch.setattr(session, "SessionWatch", lambda *arguments: watch)
    monkeypatch.setattr(session, "LOST_SECONDS", 0.1)

    def call_ray(ray: RaySession[None]) -> None:
        watch.reason = "Ray's raylet has ended"
        released.wait(60)
        returned.set()

    with pytest.raises(SessionLost, match="raylet has ended"):
        RaySession(None, call_ray).run()
    assert not returned.is_set()
    assert watch.killed
    released.set()


def test_what_the_function_returns_and_raises_comes_out(fake_start: list[Any]) -> None:
    assert RaySession(None, lambda ray: 7).run() == 7
    with pytest.raises(ZeroDivisionError):
        RaySession(None, lambda ray: 1 // 0).run()


def test_thread_of_ray_leaves_signals_to_the_main_thread(fake_start: list[Any]) -> None:
    """What Ray starts inherits the mask, so that a signal to a whole job ends no worker."""
    blocked = RaySession(None, lambda ray: signal.pthread_sigmask(signal.SIG_BLOCK, [])).run()
    assert set(Interrupt.SIGNALS) <= set(blocked)


def test_signal_before_ray_has_started_ends_the_start(
    fake_start: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    released, lines, refreshed = threading.Event(), list[str](), list[bool]()
    monkeypatch.setattr(session, "start_local", lambda: released.wait(60))
    monkeypatch.setattr(session, "NOTICE_SECONDS", 0.0)
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with Interrupt() as interrupt:
        threading.Timer(0.6, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
        left = RaySession(None, lambda ray: None)
        with pytest.raises(KeyboardInterrupt):
            left.run(interrupt, lines.append, lambda: refreshed.append(True))
    released.set()
    assert left._done.wait(30)
    signal.signal(signal.SIGTERM, before)
    assert lines == ["starting Ray"]
    assert len(refreshed) > 1


def test_services_that_nobody_uses_are_not_started(
    fake_start: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray
    from ray._private.node import Node

    before = {name: getattr(Node, name) for name in session.UNUSED_SERVICES}  # Ray has them all
    during = {}

    def init(**options: Any) -> None:
        during.update({name: getattr(Node, name) for name in before})
        raise ConnectionError("no session")

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(UserError, match="no session"):
        RaySession(None, lambda running: None).run()
    assert during["start_monitor"](None) is None
    assert during["start_api_server"](None, include_dashboard=False, raise_on_failure=False) is None
    assert {name: getattr(Node, name) for name in before} == before


@pytest.mark.slow
def test_a_session_has_no_process_of_these_services() -> None:
    program = (
        "import psutil; from sweeps.tune.session import RaySession\n"
        "for child in RaySession(None, lambda session: [\n"
        "    ' '.join(one.cmdline()) for one in psutil.Process().children(recursive=True)\n"
        "]).run(): print(child)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120
    )
    assert "raylet" in done.stdout
    for service in ("monitor.py", "dashboard.py"):
        assert service not in done.stdout
