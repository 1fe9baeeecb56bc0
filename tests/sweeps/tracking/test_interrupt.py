"""Signals become a wish, once; afterwards everything is as it was."""

import os
import signal
import threading

import pytest

from sweeps.cli.exit import exit_on_user_error
from sweeps.tracking import Interrupt


@pytest.mark.parametrize("number", Interrupt.SIGNALS)
def test_first_signal_is_a_wish_and_the_second_acts(number: signal.Signals) -> None:
    acted: list[int] = []
    before = signal.signal(number, lambda received, frame: acted.append(received))
    try:
        with Interrupt() as interrupt:
            assert not interrupt.requested
            os.kill(os.getpid(), number)
            assert interrupt.requested
            assert not acted
            os.kill(os.getpid(), number)
            assert acted == [number]
    finally:
        signal.signal(number, before)


def test_handlers_that_a_library_took_are_renewed_and_given_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Interrupt() as interrupt:
        signal.signal(signal.SIGTERM, lambda number, frame: None)
        interrupt.renew()
        os.kill(os.getpid(), signal.SIGTERM)
        assert interrupt.requested
        assert interrupt.number == signal.SIGTERM
        interrupt.renew()
        assert signal.getsignal(signal.SIGTERM) == before
    assert signal.getsignal(signal.SIGTERM) == before


def test_handlers_are_given_back_even_after_an_error() -> None:
    before = [signal.getsignal(number) for number in Interrupt.SIGNALS]
    with pytest.raises(ValueError, match="training failed"), Interrupt():
        raise ValueError("training failed")
    assert [signal.getsignal(number) for number in Interrupt.SIGNALS] == before


@pytest.mark.parametrize(("number", "taken"), [(signal.SIGHUP, False), (signal.SIGINT, True)])
def test_signal_that_was_ignored_stays_so_but_for_ctrl_c(
    number: signal.Signals, taken: bool
) -> None:
    """`nohup` ignores SIGHUP on purpose; a shell ignores SIGINT for what it puts behind."""
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with Interrupt() as interrupt:
            os.kill(os.getpid(), number)
            assert interrupt.requested == taken
        assert signal.getsignal(number) == signal.SIG_IGN
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize("number", Interrupt.SIGNALS)
def test_command_exits_with_128_and_the_number_of_the_signal(number: signal.Signals) -> None:
    with Interrupt() as interrupt:
        os.kill(os.getpid(), number)
    with pytest.raises(SystemExit) as stop, exit_on_user_error():
        raise interrupt.error("saved")
    assert stop.value.code == 128 + number


def test_other_threads_change_nothing() -> None:
    before = signal.getsignal(signal.SIGINT)
    seen: list[object] = []

    def work() -> None:
        with Interrupt() as interrupt:
            seen.extend([signal.getsignal(signal.SIGINT), interrupt.requested])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before, False]
