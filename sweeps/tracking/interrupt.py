"""Signals as a request to stop, which training looks at after each report."""

import signal
import threading
from types import FrameType
from typing import Any, Self

from sweeps.errors import Interrupted


class Interrupt:
    """Context in which the first signal sets `requested`, and a second one acts as usual.

    The signals are Ctrl-C (SIGINT), SIGTERM (batch systems, systemd, `docker stop`), SIGHUP (a
    terminal that closes) and SIGUSR1 (batch systems ahead of a time limit). One that was ignored
    before stays ignored, as `nohup` does with SIGHUP. SIGINT is taken all the same: a shell script
    ignores it for its background commands without being asked to.

    Only a process's main thread can handle signals. In another thread nothing is changed: a sweep's
    worker trains in one, and its driver handles the signals.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)

    def __init__(self) -> None:
        self.requested = False
        self.number = signal.SIGINT
        """The signal that came first."""
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._previous = {
                number: signal.signal(number, self._request)
                for number in self.SIGNALS
                if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN
            }
        return self

    def __exit__(self, *error: object) -> None:
        self._restore()

    def renew(self) -> None:
        """Handle the signals again, where a library took them meanwhile; in the main thread."""
        if not self.requested:
            for number in self._previous:
                signal.signal(number, self._request)

    def error(self, message: str) -> Interrupted:
        """Return the exception with which training ends after the signal."""
        return Interrupted(message, self.number)

    def _request(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        self.number = signal.Signals(number)
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}
