"""Writes what a process prints while it trains a trial to the trial's `log.txt`."""

import ctypes
import filecmp
import os
import shutil
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from sweeps.errors import UserError
from sweeps.io.atomic import cannot_write
from sweeps.store.log import LOG_FILE, MEGABYTE, cap_log, tail_path

LOOK_SECONDS = 0.1
"""Time between two looks at the size of a log."""


@contextmanager
def trial_log(directories: Sequence[Path], megabytes: float) -> Iterator[None]:
    """Have all that this process writes to standard output and error in a trial's `log.txt`.

    File descriptors 1 and 2 lead to the file, so that the output of C++ libraries and of child
    processes is in it, too. They lead there without a pipe: a killed process leaves what it had
    written, and nothing waits for a reader. A trial that is resumed appends to its log, after a
    line that names the time. Of a log that grows beyond its cap the first half and the end are
    kept, and a line between them tells how many bytes were left out.

    One log at a time can be open in a process.

    Args:
      directories: the trial's folder; of a pack those of its trials, which have one log together:
        it is written to the first folder, and linked in the others.
      megabytes: cap of the log.

    Raises:
      UserError: the log cannot be written.
    """
    limit = round(megabytes * MEGABYTE)
    first, *others = directories
    path = first / LOG_FILE
    try:
        for directory in directories:
            cap_log(directory, limit)
        is_resumed = any((directory / LOG_FILE).exists() for directory in directories)
        shared = [other for other in others if _is_same(path, other / LOG_FILE)]
        _unlink_copies(path)
        log = _CappedLog(first, limit, is_resumed=is_resumed)
    except OSError as error:
        raise cannot_write(path, error) from error
    for other in shared:
        _share(path, other / LOG_FILE)
    try:
        with log.redirected():
            yield
    finally:
        with suppress(UserError, OSError):  # a full disk does not decide how a trial ends
            start = 0 if cap_log(first, limit) else log.start
            for other in others:
                if other in shared:
                    _share(path, other / LOG_FILE, copies=True)
                else:
                    _append(path, start, other / LOG_FILE)
                    cap_log(other, limit)


class _CappedLog:
    """An open log: `log.txt`, then two files in turn, of which the older one is emptied."""

    def __init__(self, directory: Path, limit: int, *, is_resumed: bool) -> None:
        self._directory, self._limit = directory, limit
        self._head = _open(directory / LOG_FILE)
        self._tails: list[tuple[int, int]] = []
        """Descriptor and offset of each file beside `log.txt`, the newer one last."""
        self.start = os.fstat(self._head).st_size
        """Bytes that were in the log before."""
        if is_resumed:
            now = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
            line = f"--- {now}: training goes on ---\n"
            ends_a_line = _ends_a_line(directory / LOG_FILE)
            os.write(self._head, (line if ends_a_line else f"\n{line}").encode())

    @contextmanager
    def redirected(self) -> Iterator[None]:
        """Lead the process's output here, and see that the files do not grow too large."""
        _flush()
        streams: list[Any] = [
            stream for stream in (sys.stdout, sys.stderr) if _holds_lines_back(stream)
        ]
        for stream in streams:
            stream.reconfigure(line_buffering=True)
        self._saved = {number: os.dup(number) for number in _descriptors()}
        self._lead_to(self._head)
        stopped = threading.Event()
        watch = threading.Thread(target=self._watch, args=[stopped], name="trial log", daemon=True)
        watch.start()
        try:
            yield
        finally:
            stopped.set()
            watch.join()
            _flush()
            for number, saved in self._saved.items():
                os.dup2(saved, number, inheritable=os.get_inheritable(number))
                os.close(saved)
            for stream in streams:
                stream.reconfigure(line_buffering=False)
            with suppress(OSError):
                self._settle()
            for file in (self._head, *(file for file, _ in self._tails)):
                os.close(file)

    def _lead_to(self, file: int) -> None:
        for number in self._saved:
            os.dup2(file, number, inheritable=os.get_inheritable(number))

    def _watch(self, stopped: threading.Event) -> None:
        while not stopped.wait(LOOK_SECONDS):
            with suppress(OSError):  # a full disk; it is tried again
                if self._tails:
                    is_full = os.fstat(self._tails[-1][0]).st_size > self._limit // 4
                else:
                    is_full = os.fstat(self._head).st_size > self._limit // 2
                if is_full:
                    self._switch()

    def _switch(self) -> None:
        """Go on in another file: a new one, or the older one of two, emptied.

        A child process may still write to a file that is no longer the newest. So the two change
        their roles and are not removed: what such a child writes is bounded, too.
        """
        self._settle()
        offset = self._end()
        path = tail_path(self._directory, offset)
        if len(self._tails) < 2:
            file = _open(path)
        else:
            file, old_offset = self._tails[0]
            os.ftruncate(file, 0)
            tail_path(self._directory, old_offset).rename(path)
        self._lead_to(file)
        if (exact := self._end()) != offset:  # something more came meanwhile
            path.rename(tail_path(self._directory, exact))
        self._tails = [*self._tails[-1:], (file, exact)]

    def _settle(self) -> None:
        """Correct the newest file's offset: a write to the older one may have been under way."""
        if len(self._tails) == 2:
            (older, start), (file, offset) = self._tails
            if (exact := start + os.fstat(older).st_size) != offset:
                tail_path(self._directory, offset).rename(tail_path(self._directory, exact))
                self._tails = [(older, start), (file, exact)]

    def _end(self) -> int:
        """The offset of what is written next, counted in the files beside `log.txt`."""
        if not self._tails:
            return 0
        file, offset = self._tails[-1]
        return offset + os.fstat(file).st_size


def _open(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)


def _descriptors() -> set[int]:
    """Standard output and error, and what Python's streams write to, where that is another one."""
    found = {1, 2}
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):  # there is none, or it is no file
            found.add(stream.fileno())
    return found


def _holds_lines_back(stream: Any) -> bool:
    """Whether a stream keeps whole lines in memory, which would be lost with the process."""
    return hasattr(stream, "reconfigure") and not stream.line_buffering


def _flush() -> None:
    """Write what Python's streams and that of C hold back."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):  # there is none, or a disk is full
            stream.flush()
    library = ctypes.CDLL(None)
    with suppress(ValueError):  # a C library that calls it by another name
        library.fflush(ctypes.c_void_p.in_dll(library, "stdout"))


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return True
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"


def _is_same(path: Path, other: Path) -> bool:
    """Whether another folder has the same log, or none."""
    if not other.exists():
        return True
    return path.exists() and filecmp.cmp(path, other, shallow=False)


def _unlink_copies(path: Path) -> None:
    """Give a log that other folders share a file of its own."""
    if path.exists() and path.stat().st_nlink > 1:
        _replace(path, path, shutil.copyfile)


def _share(path: Path, other: Path, *, copies: bool = False) -> None:
    """Link a log in another folder; with `copies`, copy it where the disk knows no links."""
    if other.exists() and other.samefile(path):
        return
    try:
        _replace(path, other, os.link)
    except OSError:
        if copies:
            _replace(path, other, shutil.copyfile)


def _replace(path: Path, other: Path, make: Any) -> None:
    new = other.with_name(f".{LOG_FILE}.{os.getpid()}")
    new.unlink(missing_ok=True)
    make(path, new)
    new.replace(other)


def _append(path: Path, start: int, other: Path) -> None:
    """Append a log from a byte on to another trial's."""
    with path.open("rb") as source, other.open("ab") as target:
        source.seek(start)
        shutil.copyfileobj(source, target)
