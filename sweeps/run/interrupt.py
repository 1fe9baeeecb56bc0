"""Ctrl-C and SIGTERM as a wish that training honours at its next report."""

import signal
import threading
from types import FrameType
from typing import Any, Self


class Interrupt:
    """While entered, the first signal sets `wanted`; a second one acts as it would without us.

    Signals reach a process's main thread alone; elsewhere, as in a sweep's worker, whose driver
    takes the signals, nothing is changed.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.wanted = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._wish) for number in self.SIGNALS}
        return self

    def __exit__(self, *error: object) -> None:
        self._give_back()

    def _wish(self, number: int, frame: FrameType | None) -> None:
        self.wanted = True
        self._give_back()

    def _give_back(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
