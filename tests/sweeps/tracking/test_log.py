"""All that a process prints while it trains a trial is in the trial's `log.txt`."""

import ctypes
import io
import logging
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from sweeps.errors import UserError
from sweeps.store.log import MARKER, tails
from sweeps.tracking import log as log_module
from sweeps.tracking.log import trial_log

RESUMED = ": training goes on ---"


def lines(directory: Path) -> list[str]:
    """The lines of a log, without the times of resumption."""
    text = (directory / "log.txt").read_text()
    return ["resumed" if line.endswith(RESUMED) else line for line in text.splitlines()]


def print_by_logging() -> None:
    logger = logging.getLogger("printed")
    handler = logging.StreamHandler()
    logger.addHandler(handler)
    logger.warning("text")
    logger.removeHandler(handler)


def print_by_c() -> None:
    ctypes.CDLL(None).puts(b"text")


def print_by_child() -> None:
    subprocess.run(["echo", "text"], check=True)


def print_an_unfinished_line() -> None:
    sys.stdout.write("text")


PRINTERS = [
    lambda: print("text"),
    lambda: print("text", file=sys.stderr),
    lambda: os.write(1, b"text\n"),
    lambda: os.write(2, b"text\n"),
    print_by_logging,
    print_by_c,
    print_by_child,
    print_an_unfinished_line,
]


@pytest.mark.parametrize("write", PRINTERS)
def test_whatever_a_trial_prints_is_in_its_own_log(
    tmp_path: Path, write: Callable[[], Any], capfd: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for directory in (first, second):
        directory.mkdir()
        with trial_log([directory], 1):
            write()
        assert lines(directory) == ["text"]
    print("after")
    assert capfd.readouterr().out == "after\n"


def test_descriptors_are_as_before_also_after_an_error(tmp_path: Path) -> None:
    def state() -> list[Any]:
        numbers = {1, 2, sys.stdout.fileno(), sys.stderr.fileno()}
        found = [(os.fstat(n).st_ino, os.get_inheritable(n)) for n in sorted(numbers)]
        return [*found, len(os.listdir("/proc/self/fd")), sys.stdout.line_buffering]

    def fail() -> None:
        with trial_log([tmp_path], 1):
            assert state()[0] != before[0]
            raise ZeroDivisionError

    before = state()
    with pytest.raises(ZeroDivisionError):
        fail()
    assert state() == before


@pytest.mark.parametrize("stream", [None, io.StringIO()])
def test_streams_that_are_no_files_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: Any
) -> None:
    monkeypatch.setattr(sys, "stdout", stream)
    with trial_log([tmp_path], 1):
        os.write(1, b"text\n")
    assert lines(tmp_path) == ["text"]


def test_resumed_trial_appends_below_the_time(tmp_path: Path) -> None:
    for text in ("one", "two\n", "three\n"):
        with trial_log([tmp_path], 1):
            sys.stdout.write(text)
    assert lines(tmp_path) == ["one", "resumed", "two", "resumed", "three"]


def check_capped(directory: Path, written: bytes, limit: int) -> None:
    """First and last lines are there whole, and the number between them is right."""
    text = (directory / "log.txt").read_bytes()
    (marker,) = MARKER.finditer(text)
    head, tail = text[: marker.start()], text[marker.end() :]
    assert len(head) + len(tail) <= limit
    assert len(head) > limit // 4
    assert len(tail) > limit // 8
    assert written.startswith(head)
    assert written.endswith(tail)
    assert head.endswith(b"\n")
    assert b"\n" + tail in written
    assert int(marker[1]) == len(written) - len(head) - len(tail)
    assert not tails(directory)


LINES = [b"%d bottles of beer on the wall\n" % count for count in range(20_000)]
WRITTEN = b"".join(LINES)


def write_slowly(tmp_path: Path) -> None:
    """Write in pieces, so that files are switched between them; they do not grow meanwhile."""
    for at in range(0, len(LINES), 500):
        os.write(1, b"".join(LINES[at : at + 500]))
        wait_for(lambda: os.fstat(1).st_size <= 50_000)  # half of the cap: another file follows
    with suppress(FileNotFoundError):  # one is renamed at this moment
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 400_000


@pytest.mark.parametrize("slow", [False, True])
def test_middle_of_a_long_log_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slow: bool
) -> None:
    monkeypatch.setattr(log_module, "LOOK_SECONDS", 0.001)
    with trial_log([tmp_path], 0.1):
        if slow:
            write_slowly(tmp_path)
        else:
            os.write(1, WRITTEN)
    check_capped(tmp_path, WRITTEN, 100_000)


def test_write_that_is_under_way_while_files_are_switched_is_counted(tmp_path: Path) -> None:
    """The system lets it end in the file that it began in, after the look at that file's size."""
    text = b"nine....\n" * 1111
    with trial_log([tmp_path], 0.01):
        for _ in range(5):
            before = os.dup(1)
            os.write(1, text)
            wait_for(lambda: not os.path.sameopenfile(before, 1))  # noqa: B023 (it waits here)
            os.write(before, text)
            os.close(before)
    check_capped(tmp_path, 10 * text, 10_000)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_capped_log_that_grows_tells_of_all_that_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "LOOK_SECONDS", 0.001)
    for _ in range(2):
        with trial_log([tmp_path], 0.1):
            write_slowly(tmp_path)
    text = (tmp_path / "log.txt").read_bytes()
    (marker,) = MARKER.finditer(text)
    resumed = len("--- 2026-01-01 00:00:00+00:00: training goes on ---\n")
    kept = len(text) - len(marker[0])
    assert int(marker[1]) + kept == 2 * len(WRITTEN) + resumed
    assert kept <= 100_000
    with trial_log([tmp_path], 0.01):
        pass
    text = (tmp_path / "log.txt").read_bytes()
    (marker,) = MARKER.finditer(text)
    assert int(marker[1]) + len(text) - len(marker[0]) == 2 * len(WRITTEN) + resumed * 2
    assert len(text) <= 10_000 + len(marker[0])


@pytest.mark.parametrize("megabytes", [0.1, 10])
def test_killed_process_leaves_what_it_had_written(tmp_path: Path, megabytes: float) -> None:
    program = f"""
        import os, sys, time
        from pathlib import Path
        from sweeps.tracking import log
        log.LOOK_SECONDS = 0.001
        with log.trial_log([Path({str(tmp_path)!r})], {megabytes}):
            for at in range(20_000):
                print(at, "bottles of beer on the wall")
                while os.fstat(1).st_size > {megabytes} * 500_000:
                    time.sleep(0.001)
            os.kill(os.getpid(), 9)
    """
    # Unbuffered, Python writes parts of a line, and a log can be cut between them.
    environment = {key: os.environ[key] for key in os.environ if key != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-c", textwrap.dedent(program)]
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL)
    is_capped = megabytes < 1
    assert len(tails(tmp_path)) == (2 if is_capped else 0)
    with trial_log([tmp_path], megabytes):
        pass
    text = (tmp_path / "log.txt").read_bytes()
    kept, _, _ = text.rpartition(b"--- 20")
    if not is_capped:
        assert kept == WRITTEN
        return
    (marker,) = MARKER.finditer(kept)
    assert WRITTEN.startswith(kept[: marker.start()])
    assert WRITTEN.endswith(kept[marker.end() :])
    assert int(marker[1]) + len(kept) - len(marker[0]) == len(WRITTEN)


def pack(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    return tmp_path / "a", tmp_path / "b"


@pytest.mark.parametrize("has_links", [True, False])
@pytest.mark.parametrize("megabytes", [1, 0.001])
def test_trials_of_a_pack_share_a_log_until_they_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_links: bool, megabytes: float
) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise PermissionError

    if not has_links:
        monkeypatch.setattr(os, "link", refuse)
    a, b = pack(tmp_path)
    for count in range(2):
        with trial_log([a, b], megabytes):
            print(count, "x" * 600)
            assert (b / "log.txt").exists() == (has_links or count > 0)
    assert lines(a) == lines(b)
    with trial_log([b], megabytes):
        print("b alone")
    assert lines(b)[-1] == "b alone"
    assert "b alone" not in lines(a)
    before = lines(a)
    with trial_log([b, a], megabytes):
        print("together")
    for directory in (a, b):
        assert lines(directory)[-2:] == ["resumed", "together"]
    if megabytes == 1:
        assert lines(a) == [*before, "resumed", "together"]
        assert lines(b) == [*before, "resumed", "b alone", "resumed", "together"]


def test_log_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "log.txt").mkdir()
    with pytest.raises(UserError, match=r"cannot write .*log.txt"), trial_log([tmp_path], 1):
        pass
