"""A Ray session: started or joined in a thread of its own, watched, and left in bounded time.

A call into a session whose processes are gone may never return. The main thread therefore makes no
such call: it waits for the thread that does, sees to signals, and looks whether the session lives.
"""

import atexit
import errno
import logging
import os
import secrets
import signal
import socket
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Generic, TypeVar

from sweeps.cli.exit import signal_status
from sweeps.errors import UserError, first_line
from sweeps.tracking import Interrupt

SETTINGS = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # the trials write events and tables themselves
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C lets the trials save first
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",  # the trials' folders are the state, not Tune's
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # a trial resumed at its end makes no report
    "TUNE_FUNCTION_THREAD_TIMEOUT_S": "60",  # a stopped trial may take so long to end
    "RAY_AIR_NEW_OUTPUT": "0",  # the newer reporter prints at every verbosity
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_prestart_worker_first_driver": "0",  # Tune's workers have an environment of their own
}
"""Environment variables of Ray for the driver and its workers."""

OPTIONS: dict[str, Any] = {
    "log_to_driver": False,
    "include_dashboard": False,
    "logging_level": logging.CRITICAL,
}
"""Arguments of `ray.init`."""

UNUSED_SERVICES = ("start_monitor", "start_log_monitor", "start_api_server")
"""Methods of `ray._private.node.Node` that start what scales a cluster, what copies the workers'
output to the driver, and the server of the dashboard."""
POLL_SECONDS = 0.25
"""Time between two looks of the main thread."""
NOTICE_SECONDS = 1.5
"""A start that takes longer is told of."""
LEAVE_SECONDS = 10.0
"""Time for a session to end when it is to; it is left behind afterwards."""
LOST_SECONDS = 2.0
"""Time for a call into a session that is gone to return."""
PING_SECONDS = 5.0
"""Time between two questions to a cluster."""
SILENCE_SECONDS = 25.0
"""A cluster that has not answered for so long is gone."""
SOCKET_PATH = 107 if os.uname().sysname == "Linux" else 103
"""Bytes of the longest path of a Unix socket."""
SESSION_PATH = len("/ray/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store.00")
"""Bytes that Ray adds to its folder."""
PROCESSES = 500
"""Processes and threads that Ray needs, generously."""


class SessionLost(Exception):  # noqa: N818 (not the program's fault)
    """The Ray session is gone; the text says which part of it, and where its log is."""


T = TypeVar("T")


class RaySession(Generic[T]):
    """Runs a function within a Ray session, in a thread that this process can leave behind."""

    def __init__(self, address: str | None, work: "Callable[[RaySession[T]], T]") -> None:
        """Describe the session.

        Args:
          address: `host:port` of a cluster; None: RAY_ADDRESS, if that is set, else this machine.
          work: called in the session, with this object.
        """
        # Left to itself, Ray would join whatever cluster last ran on this machine, dead or alive.
        self.address = address or os.environ.get("RAY_ADDRESS") or "local"
        self.is_local = False
        """Whether this process started the session, and no other can use it."""
        self.leaving = threading.Event()
        """Set when the function should return, without a further call to Ray."""
        self._work = work
        self._started = threading.Event()
        self._returned = threading.Event()
        self._done = threading.Event()
        self._watch: SessionWatch | None = None
        self._joined_before = self._is_lost = False
        self._result: Any = None
        self._error: BaseException | None = None

    def run(
        self,
        interrupt: Interrupt | None = None,
        notify: Callable[[str], None] = lambda text: None,
        refresh: Callable[[], None] = lambda: None,
    ) -> T:
        """Return what the function returns, or raise what it raises.

        Args:
          interrupt: a signal that comes before Ray has started ends the start.
          notify: takes a line for the user.
          refresh: called often while Ray starts.

        Raises:
          UserError: Ray cannot start, or no cluster answers at the address.
          SessionLost: the session ended before the function did.
          KeyboardInterrupt: a signal came before Ray had started, or Ctrl-C without `interrupt`.
        """
        threading.Thread(target=self._run, name="ray session", daemon=True).start()
        try:
            self._wait(interrupt, notify, refresh)
        except SessionLost:
            self._leave(interrupt, is_lost=True)
            raise
        except KeyboardInterrupt:
            self._leave(interrupt, is_lost=False)
            raise
        if isinstance(self._error, SessionLost):
            self._leave(interrupt, is_lost=True)
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[no-any-return]

    def _wait(
        self,
        interrupt: Interrupt | None,
        notify: Callable[[str], None],
        refresh: Callable[[], None],
    ) -> None:
        began, told, is_renewed = time.monotonic(), False, False
        while not self._done.wait(POLL_SECONDS):
            if not self._started.is_set():
                if interrupt and interrupt.requested:
                    raise KeyboardInterrupt
                if not told and time.monotonic() - began > NOTICE_SECONDS:
                    is_new = self.address == "local"
                    notify("starting Ray" if is_new else f"joining Ray at {self.address}")
                    told = True
                refresh()
                continue
            if interrupt and not is_renewed:
                interrupt.renew()  # Ray handles SIGTERM as a crash
                is_renewed = True
            if self._returned.is_set():
                if not self._done.wait(LEAVE_SECONDS):
                    self._leave_behind(1)
                return
            if self._watch and (reason := self._watch.loss()):
                raise SessionLost(reason)

    def _leave(self, interrupt: Interrupt | None, *, is_lost: bool) -> None:
        """Have the thread end; if it does not, leave it behind, and kill Ray's processes."""
        self._is_lost = is_lost
        self.leaving.set()
        try:
            if self._started.is_set():
                if is_lost and self._watch:
                    self._watch.kill()
                self._done.wait(LOST_SECONDS if is_lost else LEAVE_SECONDS)
        finally:
            if is_lost or not self._done.is_set():
                is_failure = is_lost and not (interrupt and interrupt.requested)
                number = interrupt.number if interrupt else signal.SIGINT
                self._leave_behind(1 if is_failure else signal_status(number))

    def _leave_behind(self, status: int) -> None:
        if self._watch:
            self._watch.kill()
        exit_without_ray(status)

    def _run(self) -> None:
        # The processes that Ray starts inherit this: a signal to all processes of a job, or to the
        # terminal's, must not end them before the trials have saved. The main thread gets it.
        signal.pthread_sigmask(signal.SIG_BLOCK, Interrupt.SIGNALS)
        try:
            self._start()
            self._result = self._work(self)
        except BaseException as error:
            # What Ray raises where it is gone says less than that it is.
            reason = self._watch.loss() if self._watch and isinstance(error, Exception) else None
            self._error = SessionLost(reason) if reason else error
            self._is_lost = self._is_lost or bool(reason)
        self._returned.set()
        try:
            self._end()
        finally:
            self._done.set()

    def _start(self) -> None:
        os.environ.update(SETTINGS)
        if self.address != "local":
            # Ray would end this process before its table is printed. Processes that this one starts
            # must not inherit it: they stay as long where their session was killed.
            os.environ.setdefault("RAY_gcs_rpc_server_reconnect_timeout_s", "600")
        protect_token()
        provide_home()
        with ThreadPoolExecutor(1) as loader:
            try:
                import ray

                for name in ("ray", "ray.tune", "ray.train", "ray.data"):
                    logging.getLogger(name).setLevel(logging.CRITICAL)
                # Ray mostly waits while it starts.
                loaded = loader.submit(import_module, "ray.tune")
                self._joined_before = ray.is_initialized()
                if self._joined_before:
                    pass
                elif self.address == "local":
                    start_local()
                    self.is_local = True
                else:
                    join(self.address)
                loaded.result()
            except (UserError, KeyboardInterrupt):
                raise
            except Exception as error:
                raise start_error(error, self.address) from error
        if self.leaving.is_set():  # it came too late
            raise KeyboardInterrupt
        self._watch = SessionWatch(self.is_local, self.address)
        self._started.set()

    def _end(self) -> None:
        if self._watch:
            self._watch.stop()
        if self._joined_before or self._is_lost or not self._started.is_set():
            return
        import ray

        if self.is_local:
            _end_at_once()
        ray.shutdown()


class SessionWatch:
    """Looks whether a Ray session still lives.

    The processes of a session of this machine are children of this one. A cluster is asked, in a
    thread of its own: the question may never be answered. Left to itself, Ray waits for ever for a
    raylet that is gone, and ends this process for a GCS server that is.
    """

    def __init__(self, is_local: bool, address: str) -> None:
        """Begin to look; called in the session."""
        import ray
        from ray._private import worker

        self._node = worker._global_node
        self._client: Any = self._node.get_gcs_client() if self._node else None
        self._is_local, self._address = is_local, address
        self._id = ray.get_runtime_context().get_node_id()
        self._is_node_dead = False
        self._answered = time.monotonic()
        self._stopped = threading.Event()
        if not is_local and self._client:
            threading.Thread(target=self._ask, name="ray watch", daemon=True).start()

    def stop(self) -> None:
        """Find nothing wrong any more: the session ends."""
        self._stopped.set()

    def kill(self) -> None:
        """Kill the processes of a session of this machine, its workers with them."""
        if self._is_local and self._node is not None:
            self._node.kill_all_processes(check_alive=False, allow_graceful=False)

    def loss(self) -> str | None:
        """Return what of the session is gone, and where its log is; None: it lives."""
        if self._stopped.is_set() or self._node is None:
            return None
        logs = self._node.get_logs_dir_path()
        if self._is_local:
            dead = {kind for kind, process in self._node.dead_processes()}
            for kind, name in {"gcs_server": "GCS server", "raylet": "raylet"}.items():
                if kind in dead:
                    return f"Ray's {name} has ended; its log is {logs}/{kind}.err"
            return None
        silence = time.monotonic() - self._answered
        if silence > SILENCE_SECONDS:
            return (
                f"the Ray cluster at {self._address} has not answered for {silence:.0f} seconds; "
                f"its log is {logs}/gcs_server.err on its head"
            )
        if self._is_node_dead:
            return f"Ray's node on this machine has ended; its log is {logs}/raylet.err"
        return None

    def _ask(self) -> None:
        from ray.core.generated.gcs_pb2 import GcsNodeInfo  # type: ignore[attr-defined]
        from ray.exceptions import RayError

        while not self._stopped.wait(PING_SECONDS):
            with suppress(RayError, TimeoutError):  # no answer
                nodes = self._client.get_all_node_info(timeout=PING_SECONDS)
                self._answered = time.monotonic()
                for node, facts in nodes.items():
                    if node.hex() == self._id and facts.state != GcsNodeInfo.ALIVE:
                        self._is_node_dead = True


def exit_without_ray(status: int) -> None:
    """Have the process exit with this status when it ends; Ray would not let it end."""

    def exit_now() -> None:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(status)

    atexit.register(exit_now)


def start_local() -> None:
    """Start a Ray session on this machine; once more where the first start takes too long.

    Raises:
      UserError: there is no folder for it.
      Exception: Ray has types of its own, and plain ones, for what may go wrong.
    """
    import ray

    # A token that only this process's environment holds, in place of a file that Ray would make
    # readable for everyone in a home that may not exist.
    if not {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & set(os.environ):
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    folder = private_folder()
    for attempt in (1, 2):
        try:
            with _without_services():
                ray.init(address="local", _temp_dir=str(folder), **OPTIONS)
            return
        except Exception as error:
            ray.shutdown()
            _kill_leftovers(folder)
            if attempt == 2 or not is_timeout(error) or process_limit():
                raise


@contextmanager
def _without_services() -> Iterator[None]:
    """Have Ray start without the services that a session of one command does not use.

    They are Python programs, and loading them takes as much processor time as starting the rest.
    """
    from ray._private.node import Node

    services = {name: getattr(Node, name) for name in UNUSED_SERVICES if hasattr(Node, name)}
    for name in services:
        setattr(Node, name, lambda *_, **choices: None)
    try:
        yield
    finally:
        for name, start in services.items():
            setattr(Node, name, start)


def join(address: str) -> None:
    """Join the cluster at an address.

    Raises:
      UserError: nothing answers there.
      Exception: Ray has types of its own, and plain ones, for what may go wrong.
    """
    import ray

    check_address(address)
    ray.init(address=address, **OPTIONS)


def protect_token() -> None:
    """Let nobody else read this user's token for clusters: `ray start` makes it readable for all.

    Who has it can run programs as this user.
    """
    path = Path(os.path.expanduser("~/.ray/auth_token"))
    with suppress(OSError):  # there is none, or it is another user's
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)


def provide_home() -> None:
    """Give a user whom the system does not know a home, as in a container: Ray asks for one."""
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = str(private_folder().parent)


def check_address(address: str) -> None:
    """Check that a cluster's port answers; Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError as error:
        raise UserError(
            f"no Ray cluster answers at ray.address={address} ({error}); start it, mend the "
            "address, or take ray.address=local to run on this machine."
        ) from error


def private_folder() -> Path:
    """Return a folder for Ray's files, within one that only this user can enter.

    Ray opens its own folder to everyone. The outer one is in $RAY_TMPDIR, else in $TMPDIR or /tmp,
    whichever is short enough for the paths of sockets.

    Raises:
      UserError: there is none.
    """
    chosen = os.environ.get("RAY_TMPDIR")
    places = [chosen] if chosen else [os.environ.get("TMPDIR"), "/tmp", "/var/tmp"]
    problems = []
    for place in filter(None, places):
        path = Path(place).absolute() / f"ray-{os.getuid()}"
        if len(os.fsencode(path)) + SESSION_PATH > SOCKET_PATH:
            problems.append(f"{place} is too long for the paths of its sockets")
            continue
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            facts = path.lstat()
            if facts.st_uid != os.getuid() or not stat.S_ISDIR(facts.st_mode):
                path = Path(tempfile.mkdtemp(prefix="ray-", dir=place))
            path.chmod(0o700)
            with tempfile.TemporaryFile(dir=path):
                return path / "ray"
        except OSError as error:
            problems.append(f"{place}: {error.strerror}")
    raise UserError(
        f"Ray has no place for its temporary files ({'; '.join(problems)}); give a folder with a "
        "short path that you can write to with RAY_TMPDIR=DIR."
    )


def start_error(error: Exception, address: str) -> UserError:
    """Return the sentence for an error with which Ray did not start, or could not be joined."""
    reason = first_line(error)
    if limit := process_limit():
        return UserError(
            f"Ray cannot start ({reason}): this user may have {limit} processes and threads, and "
            f"with those that run Ray needs more; raise the limit (ulimit -u)."
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UserError(
            f"Ray cannot start, for a disk is full ({reason}); free some space, or give another "
            "place for its files with RAY_TMPDIR=DIR."
        )
    if address != "local":
        return UserError(
            f"Ray cannot join the cluster at ray.address={address} ({reason}); mend the address, "
            "or take ray.address=local to run on this machine; if that cluster asks for a token, "
            "set RAY_AUTH_MODE=token here too."
        )
    if is_timeout(error):
        return UserError(
            f"Ray did not start in its time ({reason}); this machine may be too busy: give the "
            "same command again when less runs on it."
        )
    return UserError(
        f"Ray cannot start on this machine ({type(error).__name__}: {reason}); mend that, then "
        "give the same command again."
    )


def is_timeout(error: Exception) -> bool:
    """Whether Ray gave up waiting for a part of it to start."""
    return isinstance(error, TimeoutError) or "timed out" in str(error)


def process_limit() -> int | None:
    """Return the limit of this user's processes and threads where Ray may exceed it, else None."""
    import resource

    import psutil

    limit, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    if limit == resource.RLIM_INFINITY or os.getuid() == 0:  # no limit holds for root
        return None
    own = psutil.process_iter(["uids", "num_threads"])
    used = sum(
        process.info["num_threads"] or 0
        for process in own
        if process.info["uids"] and process.info["uids"].real == os.getuid()
    )
    return int(limit) if used + PROCESSES > limit else None


def _kill_leftovers(folder: Path) -> None:
    """Kill the processes of a start that failed, which Ray forgets."""
    import psutil

    for child in psutil.Process().children(recursive=True):
        try:
            if any(str(folder) in argument for argument in child.cmdline()):
                child.kill()
        except psutil.Error:
            continue


def _end_at_once() -> None:
    """Have Ray's processes killed when the session ends: they do not see a request (SIGTERM)."""
    from ray._private import worker

    if node := worker._global_node:
        kill = node.kill_all_processes
        node.kill_all_processes = lambda **how: kill(**{**how, "allow_graceful": False})
