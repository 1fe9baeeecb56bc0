"""What is away for a while is waited for, with a word; what waiting cannot mend is told at once."""

import errno
import itertools
import os
import uuid
from collections.abc import Callable, Iterator
from io import FileIO
from pathlib import Path
from typing import Any

import pytest

from sweeps.errors import UserError
from sweeps.io import retry as module
from sweeps.io.atomic import cannot_write, make_directory, write_fully, write_json, write_text
from sweeps.io.mirror import Mirror
from sweeps.io.retry import VARIABLE, disk_passes, retry, retry_minutes
from sweeps.store.metrics import MetricsTable, read_metrics
from sweeps.tensorboard.event_file import EventWriter, read_reports

AWAY = "AWS Error NETWORK_CONNECTION during PutObject operation: Couldn't connect to server"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The pauses that were made; each takes no time, and the clock moves on by it."""
    pauses: list[float] = []

    class Time:
        @staticmethod
        def sleep(seconds: float) -> None:
            pauses.append(seconds)

        @staticmethod
        def monotonic() -> float:
            return sum(pauses)

    monkeypatch.setattr(module, "time", Time)
    monkeypatch.delenv(VARIABLE, raising=False)
    yield pauses
    module._away.clear()


def failing(times: float, error: Exception) -> Callable[[], str]:
    """Work that fails so many times first."""
    counter = itertools.count()

    def work() -> str:
        if next(counter) < times:
            raise error
        return "done"

    return work


def test_work_is_tried_again_with_growing_pauses_and_two_words(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    assert retry(failing(7, OSError(errno.ESTALE, "stale")), disk_passes, "/shared") == "done"
    assert clock == [1, 2, 4, 8, 16, 30, 30]
    assert caplog.messages == [
        "/shared does not answer ([Errno 116] stale); trying again for up to 10 minutes.",
        "/shared answers again.",
    ]


@pytest.mark.parametrize("minutes", ["", "0", "0.5", "30"])
def test_work_is_given_up_after_the_time_allowed(
    clock: list[float], monkeypatch: pytest.MonkeyPatch, minutes: str
) -> None:
    monkeypatch.setenv(VARIABLE, minutes)
    with pytest.raises(OSError, match="stale"):
        retry(failing(10**6, OSError(errno.ESTALE, "stale")), disk_passes, "/shared")
    assert sum(clock) == 60 * float(minutes or 10)


@pytest.mark.parametrize("text", ["soon", "-1", "nan", "inf"])
def test_a_time_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(UserError, match=f"{VARIABLE}={text} is no number of minutes"):
        retry_minutes()


@pytest.mark.parametrize("number", ["ENOSPC", "EDQUOT", "EACCES", "EROFS", "ENOENT", "EFBIG"])
def test_errors_that_stay_are_not_waited_for(clock: list[float], number: str) -> None:
    error = OSError(getattr(errno, number), "no")
    with pytest.raises(OSError, match="no"):
        retry(failing(1, error), disk_passes, "/shared")
    assert not clock


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "cannot write a (No space left on device): the disk is full; free some"),
        (errno.EDQUOT, "cannot write a (Disk quota exceeded): your share of the disk is full;"),
        (errno.EROFS, "cannot write a (Read-only file system): the disk is mounted read-only;"),
        (errno.EACCES, "cannot write a (Permission denied); free some space or mend its perm"),
    ],
)
def test_a_full_disk_is_called_one(number: int, words: str) -> None:
    assert str(cannot_write(Path("a"), OSError(number, os.strerror(number)))).startswith(words)


def fail_first(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, numbers: list[int], part: int = 0
) -> None:
    """Have the first calls of a function fail with these numbers, after a part of the bytes."""
    real = getattr(owner, name)

    def call(*arguments: Any, **options: Any) -> Any:
        if numbers:
            number = numbers.pop(0)
            if part:
                real(arguments[0], arguments[1][:part])
            raise OSError(number, os.strerror(number))
        return real(*arguments, **options)

    monkeypatch.setattr(owner, name, call)


@pytest.mark.fault
@pytest.mark.parametrize("number", [errno.ESTALE, errno.EIO, errno.ETIMEDOUT])
@pytest.mark.parametrize("step", [(Path, "replace"), (os, "fsync"), (Path, "mkdir")])
def test_a_shared_disk_that_is_away_is_waited_for(
    tmp_path: Path,
    clock: list[float],
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    step: tuple[Any, str],
) -> None:
    fail_first(monkeypatch, *step, [number, number])
    make_directory(tmp_path / "trial")
    write_json(tmp_path / "trial/result.json", {"status": "finished"})
    assert clock == [1, 2]
    assert os.listdir(tmp_path / "trial") == ["result.json"]


class Failing(FileIO):
    """A file whose handle goes stale at a write, after a part of the bytes."""

    failures = 0

    def write(self, data: Any) -> int:
        if self.failures:
            self.failures -= 1
            super().write(data[:3])
            raise OSError(errno.ESTALE, "Stale file handle")
        return super().write(data)


@pytest.mark.fault
@pytest.mark.parametrize("mode", ["xb", "ab"])
def test_a_stale_handle_is_opened_anew_and_no_byte_comes_twice(
    tmp_path: Path, clock: list[float], mode: str
) -> None:
    path = tmp_path / "file"
    with Failing(path, mode) as file:
        write_fully(file, b"one,", path)
        file.failures = 3
        write_fully(file, b"two,three,", path)
        write_fully(file, b"four", path)
    assert path.read_bytes() == b"one,two,three,four"
    assert clock == [1, 2]


@pytest.mark.fault
def test_reports_outlive_a_shared_disk_that_is_away(tmp_path: Path, clock: list[float]) -> None:
    table, writer = MetricsTable(tmp_path / "metrics.csv", -1), EventWriter(tmp_path, start=0)
    for step in range(1, 6):
        if step > 1:  # the table has its columns by now
            table._file = broken(table._file, table.path)
            writer._file = broken(writer._file, writer.path)
        table.write(step, 0.5, {"a": float(step)})
        writer.write_scalars(step, 0.5, {"a": float(step)})
    table.close()
    writer.close()
    assert [step for step, _, _ in read_reports(tmp_path)] == [1, 2, 3, 4, 5]
    assert [row["step"] for row in read_metrics(tmp_path / "metrics.csv")] == [1, 2, 3, 4, 5]
    assert clock == [1.0] * 8  # one each; the first try again is made at once


def broken(file: FileIO, path: Path) -> Failing:
    """The file, opened anew, with a handle that is going to fail once."""
    file.close()
    found = Failing(path, "ab")
    found.failures = 2
    return found


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    mirror = Mirror(f"memory://{uuid.uuid4().hex}/store", tmp_path / "local", wait=True)
    make_directory(mirror.local / "grid/a")
    write_text(mirror.local / "grid/a/result", "1")
    return mirror


def break_store(monkeypatch: pytest.MonkeyPatch, mirror: Mirror, times: float, text: str) -> None:
    """Have the next calls of the store fail."""
    files, counter = mirror._files, itertools.count()

    class Broken:
        def __getattr__(self, name: str) -> Any:
            if name != "type_name" and next(counter) < times:
                raise OSError(text)
            return getattr(files, name)

    monkeypatch.setattr(mirror, "_files", Broken())


@pytest.mark.fault
@pytest.mark.parametrize("times", [1, 2, 5])
def test_a_store_that_is_away_is_waited_for(
    mirror: Mirror,
    tmp_path: Path,
    times: int,
    clock: list[float],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with monkeypatch.context() as patch:
        break_store(patch, mirror, times, AWAY)
        mirror.push("grid/a")
    assert len(clock) == times
    other = Mirror(mirror.url, tmp_path / "other", wait=True)
    with monkeypatch.context() as patch:
        break_store(patch, other, times, AWAY)
        other.pull("grid")
    assert (other.local / "grid/a/result").read_text() == "1"
    assert other.list_names("grid/a") == ["result"]
    start = f"The store {mirror.url} does not answer ("
    assert [message.startswith(start) for message in caplog.messages] == [True, False] * 2
    assert "trying again for up to 10 minutes" in caplog.messages[0]


@pytest.mark.fault
@pytest.mark.parametrize(
    "text", ["AWS Error ACCESS_DENIED during PutObject", "AWS Error NO_SUCH_BUCKET"]
)
def test_what_waiting_cannot_mend_is_told_at_once(
    mirror: Mirror, text: str, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    break_store(monkeypatch, mirror, 10**6, text)
    for work in (mirror.push, mirror.pull, mirror.list_names):
        with pytest.raises(UserError, match=text):
            work()
    assert not clock


@pytest.mark.fault
def test_a_url_that_never_answered_is_not_waited_for(
    tmp_path: Path, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = Mirror(f"memory://{uuid.uuid4().hex}", tmp_path)
    break_store(monkeypatch, mirror, 10**6, "Could not resolve host: no-such-host")
    with pytest.raises(UserError, match="cannot be reached"):
        mirror.pull("grid")
    assert not clock


@pytest.mark.fault
def test_a_library_that_takes_no_answer_for_no_file_costs_no_file(
    tmp_path: Path, mirror: Mirror, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of fsspec's file systems `isdir`, `isfile` and `exists` say no on any error."""
    mirror.push("grid")
    memory = mirror._files.handler.fs
    away = [True]

    def info(path: str, **options: Any) -> Any:
        if away[0]:
            raise OSError(AWAY)
        return type(memory).info(memory, path, **options)

    def answer(path: str) -> bool:
        return not away[0] and type(memory).exists(memory, path)

    def sleep(seconds: float) -> None:
        clock.append(seconds)
        away[0] = len(clock) < 2

    monkeypatch.setattr(memory, "info", info, raising=False)
    monkeypatch.setattr(memory, "exists", answer, raising=False)
    for name, kind in (("isdir", "directory"), ("isfile", "file")):
        monkeypatch.setattr(
            memory,
            name,
            lambda path, kind=kind: answer(path) and info(path)["type"] == kind,
            raising=False,
        )
    monkeypatch.setattr(module.time, "sleep", sleep)
    for work in (
        lambda: mirror.pull("grid"),
        lambda: mirror.read_file("grid/a/result"),
        lambda: mirror.list_names("grid"),
    ):
        away[0] = True
        clock.clear()
        assert work() in (None, b"1", ["a"])
        assert len(clock) == 2
    assert (mirror.local / "grid/a/result").read_text() == "1"
    assert mirror.read_file("grid/a/result") == b"1"


@pytest.mark.fault
def test_a_push_that_does_not_wait_is_made_up_for_later(
    mirror: Mirror,
    clock: list[float],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with monkeypatch.context() as patch:
        break_store(patch, mirror, 10**6, AWAY)
        mirror.push("grid/a", wait=False)
        assert mirror.list_names("grid", wait=False) == []
        assert not clock
        assert "does not answer (" in caplog.text
        with pytest.raises(UserError, match="The same command goes on"):
            mirror.push("grid/a")
    assert sum(clock) == 600
    mirror.push("grid/a", wait=False)  # for a while the store is not even asked
    assert mirror.list_names("grid/a") == []
    mirror.push("grid/a", wait=False)  # it has answered
    assert mirror.list_names("grid/a") == ["result"]
