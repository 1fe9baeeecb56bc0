"""Leases in a store, so that one machine at a time runs a sweep at a URL.

A lease is a file beside the sweep's folder that says who runs it, and until when. Its owner renews
it; that of an owner that crashed runs out. The same machine takes its own lease over at once, for a
lock on its local copy has told that nothing of it runs there (see `sweeps.io.lock`).

No store of every kind can replace a file on condition that nobody else has. So a lease is written,
and read again after a moment; and its owner, who reads it before each renewal, stops if it finds
another's. Clocks need not agree: a lease that seems to have run out, or to lie in the future, is
watched for as long as its owner might take to renew it.
"""

import json
import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sweeps.errors import UserError
from sweeps.io.atomic import make_directory, write_text
from sweeps.io.mirror import Mirror
from sweeps.io.retry import warn

RENEW_SECONDS = 20.0
"""Time between two renewals."""
LEASE_SECONDS = 120.0
"""Time after the last renewal until a lease runs out."""
SETTLE_SECONDS = 1.0
"""Time after which a lease that was written is read again."""
SETTLE_TIMES = 5
"""Times that a lease is written until it can be read again."""


@dataclass(frozen=True, kw_only=True)
class Lease:
    """What the file of a lease says."""

    owner: str
    """Made up by the machine that holds the lease, and kept in its local copy."""
    host: str
    process: int
    since: str
    """Time of the start, as a user reads it."""
    renewed: float
    """Time of the last renewal by the owner's clock, in seconds since 1970."""
    renewals: int = 0


@contextmanager
def hold_lease(mirror: Mirror | None, name: str) -> Iterator[None]:
    """Hold the lease of a sweep while the context is entered.

    If another machine takes the lease meanwhile, this process gets the signal of Ctrl-C.

    Args:
      mirror: of the URL that keeps the results; None: a folder keeps them, and there is no lease.
      name: of the sweep's folder.

    Raises:
      UserError: another machine runs the sweep, or the store fails.
    """
    if mirror is None:
        yield
        return
    keeper = _Keeper(mirror, name)
    keeper.take()
    keeper.start()
    try:
        yield
    finally:
        keeper.end()


class _Keeper:
    """Takes a lease, renews it from a thread of its own, and gives it back."""

    def __init__(self, mirror: Mirror, name: str) -> None:
        self._mirror, self._name = mirror, name
        self._path = f".{name}.lease"
        self._lease = Lease(
            owner=self._own_name(),
            host=socket.gethostname(),
            process=os.getpid(),
            since=datetime.now(UTC).isoformat(sep=" ", timespec="seconds"),
            renewed=time.time(),
        )
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew_until_ended, daemon=True)

    @property
    def _own_copy(self) -> Path:
        """Names this machine, whose lease of the sweep a crash leaves in the store."""
        return self._mirror.local / self._path

    def _own_name(self) -> str:
        with suppress(OSError, UnicodeDecodeError):
            if name := self._own_copy.read_text(encoding="utf-8"):
                return name
        name = uuid.uuid4().hex
        make_directory(self._own_copy.parent)
        write_text(self._own_copy, name)
        return name

    def take(self) -> None:
        """Write the lease.

        Raises:
          UserError: another machine holds it.
        """
        held = self._read()
        if held is not None and held.owner != self._lease.owner and self._is_alive(held):
            raise self._refusal(held)
        for _ in range(SETTLE_TIMES):
            self._write()
            time.sleep(SETTLE_SECONDS)
            # One that is gone or cannot be read is being written by another machine.
            if (held := self._read()) is not None:
                break
        if held is None:
            raise UserError(
                f"The lease {self._path} at {self._mirror.url} cannot be read again after it was "
                "written; look whether the store keeps what is written there, and give this "
                "command again."
            )
        if held.owner != self._lease.owner:
            raise self._refusal(held)

    def start(self) -> None:
        """Begin to renew the lease."""
        self._thread.start()

    def end(self) -> None:
        """Give the lease back, unless another machine has it."""
        self._ended.set()
        self._thread.join()
        with suppress(UserError):  # it runs out
            held = self._read(wait=False)
            if held is not None and held.owner == self._lease.owner:
                self._mirror.delete_file(self._path)
        self._own_copy.unlink(missing_ok=True)

    def _is_alive(self, held: Lease) -> bool:
        """Return whether a lease is renewed by its owner."""
        if 0 <= time.time() - held.renewed < LEASE_SECONDS:
            return True
        # It has run out, or one of the clocks is wrong.
        warn(
            f"{held.host} ran the sweep {self._name} at {self._mirror.url}; looking for "
            f"{2 * RENEW_SECONDS:.0f} seconds whether it still does."
        )
        deadline = time.monotonic() + 2 * RENEW_SECONDS
        while time.monotonic() < deadline:
            time.sleep(min(SETTLE_SECONDS, RENEW_SECONDS))
            now = self._read()
            if now is None:
                return False
            if now != held:
                return True
        return False

    def _refusal(self, held: Lease) -> UserError:
        return UserError(
            f"{held.host} runs the sweep {self._name} at {self._mirror.url}, since {held.since} "
            f"(process {held.process}); wait for it, or stop it there. If it has crashed, give "
            f"this command again in {LEASE_SECONDS / 60:g} minutes, or give this sweep another "
            "folder with sweep.name=NAME."
        )

    def _renew_until_ended(self) -> None:
        while not self._ended.wait(RENEW_SECONDS):
            with suppress(UserError):  # the next renewal may go better
                held = self._read(wait=False)
                if held is not None and held.owner != self._lease.owner:
                    warn(
                        f"{held.host} has taken over the sweep {self._name} at {self._mirror.url}, "
                        "as this machine did not answer for a while; this command stops."
                    )
                    os.kill(os.getpid(), signal.SIGINT)
                    return
                renewals = self._lease.renewals + 1
                self._lease = replace(self._lease, renewed=time.time(), renewals=renewals)
                self._write(wait=False)

    def _write(self, wait: bool = True) -> None:
        content = json.dumps(asdict(self._lease)).encode()
        self._mirror.write_file(self._path, content, wait=wait)

    def _read(self, wait: bool = True) -> Lease | None:
        """Return the lease in the store; None where there is none, or one that is damaged."""
        content = self._mirror.read_file(self._path, wait=wait)
        if content is None:
            return None
        try:
            fields = json.loads(content)
            return Lease(
                owner=str(fields["owner"]),
                host=str(fields["host"]),
                process=int(fields["process"]),
                since=str(fields["since"]),
                renewed=float(fields["renewed"]),
                renewals=int(fields["renewals"]),
            )
        except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
            return None
