"""Ctrl-C and SIGTERM as a request to stop, which training looks at after each report."""

import signal
import threading
from types import FrameType
from typing import Any, Self


class Interrupt:
    """Context in which the first signal sets `requested`, and a second one acts as usual.

    Only a process's main thread can handle signals. In another thread nothing is changed: a sweep's
    worker trains in one, and its driver handles the signals.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.requested = False
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._previous = {
                number: signal.signal(number, self._request) for number in self.SIGNALS
            }
        return self

    def __exit__(self, *error: object) -> None:
        self._restore()

    def _request(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}
