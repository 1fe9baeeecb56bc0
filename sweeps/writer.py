"""One trial's metrics on disk: TensorBoard events and the table `metrics.csv`.

Events are framed here rather than by a writer of the usual libraries, because those have faults
that a sweep meets every day: tensorboardX loses the records still in its queue when a process is
killed and gives two writers of one second the same file; tensorboard's own `EventFileWriter`
reports a full disk from its thread, after the fact; both compute checksums in Python. A record is
a header of twelve bytes, the event, and a checksum (TFRecord), so the whole of it is `_frame`.
Nothing is buffered: when `write` returns, the values outlive this process, and a full disk has
been reported. A report costs a tenth of a millisecond.
"""

import csv
import io
import os
import socket
import struct
import sys
import time
from collections.abc import Iterator, Mapping
from io import FileIO
from pathlib import Path
from typing import Any

import crc32c
from tensorboard.compat.proto.event_pb2 import (
    Event,
    SessionLog,
    SourceMetadata,
)
from tensorboard.compat.proto.summary_pb2 import Summary

from sweeps.files import unwritable, write_text


class EventWriter:
    """Appends to a new event file of a TensorBoard run."""

    def __init__(self, directory: Path, start: int) -> None:
        """Open a file whose points take the place of older ones at `start` and after it."""
        self._file, self.path = _open_new(directory)
        source = SourceMetadata(writer="sweeps.writer")
        self._append(Event(file_version="brain.Event:2", source_metadata=source))
        # TensorBoard drops older points at a START, but not at the first one that it sees.
        # So every file carries one.
        self._append(Event(step=start, session_log=SessionLog(status=SessionLog.START)))

    def write(self, step: int, wall_time: float, metrics: Mapping[str, float]) -> None:
        """Write all values of a step as one event."""
        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in metrics.items()]
        self._append(Event(step=step, wall_time=wall_time, summary=Summary(value=values)))

    def close(self) -> None:
        """Close the file; there is nothing left to write."""
        self._file.close()

    def _append(self, event: Any) -> None:
        event.wall_time = event.wall_time or time.time()
        _write_all(self._file, _frame(event.SerializeToString()), self.path)


def sound_until(directory: Path) -> int:
    """The last step before which no event file has a damaged or missing record.

    A reader stops at the first such record of a file. A process that is killed leaves none; a
    machine that goes down may. Without any file it is -1.
    """
    paths = list(directory.glob("events.out.tfevents.*"))
    sound = sys.maxsize if paths else -1
    for path in paths:
        steps, whole = _read_steps(path.read_bytes())
        if not whole:
            sound = min(sound, max(steps, default=-1))
    return sound


def _read_steps(data: bytes) -> tuple[list[int], bool]:
    """Steps of the summaries up to the first damage, and whether there is none."""
    steps: list[int] = []
    at = 0
    while at < len(data):
        header = data[at : at + 8]
        size = struct.unpack("<Q", header)[0] if len(header) == 8 else 0
        body = data[at + 12 : at + 12 + size]
        if data[at : at + 16 + size] != _frame(body) or len(body) < size:
            return steps, False
        event = Event.FromString(body)
        if event.HasField("summary"):
            steps.append(event.step)
        at += 16 + size
    return steps, True


def _open_new(directory: Path) -> tuple[FileIO, Path]:
    """Create an event file under a name that sorts by time and that no other process has."""
    host = socket.gethostname()
    while True:
        seconds, nanoseconds = divmod(time.time_ns(), 10**9)
        stamp = f"{seconds:010d}.{nanoseconds:09d}"
        path = directory / f"events.out.tfevents.{stamp}.{host}.{os.getpid()}"
        try:
            return path.open("xb", buffering=0), path
        except FileExistsError:
            continue
        except OSError as error:
            raise unwritable(path, error) from error


def _write_all(file: FileIO, data: bytes, path: Path) -> None:
    """Write to the end; a nearly full disk takes a part first and gives its error then."""
    try:
        while data:
            data = data[file.write(data) :]
    except OSError as error:
        raise unwritable(path, error) from error


def _frame(data: bytes) -> bytes:
    """One TFRecord: length, its checksum, data, its checksum; little-endian."""
    header = struct.pack("<Q", len(data))
    return header + _checksum(header) + data + _checksum(data)


def _checksum(data: bytes) -> bytes:
    """CRC-32C, rotated and offset as TensorFlow masks it in `lib/hash/crc32c.h`."""
    crc = crc32c.crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


class MetricsTable:
    """`metrics.csv`: one row a report; columns step, wall_time and the tags in order of arrival.

    A cell is empty where a report did not carry the tag. Numbers stand in their shortest exact
    form, `nan` and `inf` included.
    """

    def __init__(self, path: Path, keep_until: int) -> None:
        """Open the table, without the rows after step `keep_until` that it may hold."""
        self.path = path
        rows = [row for row in read_metrics(path) if row["step"] <= keep_until]
        self.kept = rows
        self._tags = list(dict.fromkeys(tag for row in rows for tag in row))
        self._tags = ["step", "wall_time", *(t for t in self._tags if t not in _INDEX)]
        self._rewrite(rows)

    def write(self, step: int, wall_time: float, metrics: Mapping[str, float]) -> None:
        """Append a row; a tag seen for the first time adds a column."""
        row = {"step": step, "wall_time": wall_time, **metrics}
        if new := [tag for tag in metrics if tag not in self._tags]:
            self.close()
            self._tags += new
            self._rewrite([*read_metrics(self.path), row])
            return
        _write_all(self._file, _lines(self._tags, [row]).encode(), self.path)

    def close(self) -> None:
        """Close the file; there is nothing left to write."""
        self._file.close()

    def _rewrite(self, rows: list[dict[str, float]]) -> None:
        write_text(self.path, ",".join(map(_quote, self._tags)) + "\n" + _lines(self._tags, rows))
        self._file = self.path.open("ab", buffering=0)


_INDEX = ("step", "wall_time")


def read_metrics(path: Path) -> list[dict[str, float]]:
    """Read a metrics table's whole rows; a last line that a killed process left half is skipped."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    whole = text[: text.rfind("\n") + 1]
    return list(_rows(whole))


def _rows(text: str) -> Iterator[dict[str, float]]:
    for cells in csv.DictReader(io.StringIO(text)):
        row = {tag: float(cell) for tag, cell in cells.items() if cell}
        yield {**row, "step": int(cells["step"])}


def _lines(tags: list[str], rows: list[dict[str, float]]) -> str:
    return "".join(
        ",".join(repr(row[tag]) if tag in row else "" for tag in tags) + "\n" for row in rows
    )


def _quote(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if set(cell) & set(',"\n') else cell
