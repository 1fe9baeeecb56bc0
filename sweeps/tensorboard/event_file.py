"""Writing, reading and rewriting of TensorBoard's event files.

No writer of the usual libraries is used, because they have faults that a sweep meets every day.
tensorboardX loses the records still in its queue when a process is killed, and gives two writers of
one second the same file. tensorboard's own `EventFileWriter` reports a full disk from its thread,
after the fact. Both compute checksums in Python. A record is a header of twelve bytes, the event,
and a checksum (TFRecord), so `_frame` is all there is to writing one. Nothing is buffered: when a
method that writes returns, the values outlive this process, and a full disk has been reported. A
report costs a tenth of a millisecond.

TensorBoard keeps every file of a run open, so a run has one file for each process that trained it.
"""

import os
import re
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from io import FileIO
from pathlib import Path
from typing import Any

import crc32c
from google.protobuf.message import DecodeError
from tensorboard.compat.proto.event_pb2 import (
    Event,
    SessionLog,
    SourceMetadata,
)
from tensorboard.compat.proto.summary_pb2 import Summary as SummaryProto

from sweeps.io.atomic import cannot_write, write_bytes, write_fully
from sweeps.tensorboard.protos import summary_value
from sweeps.tensorboard.values import Summary

EVENT_FILES = "events.out.tfevents.*"
"""Pattern of the names of event files."""


class EventWriter:
    """A new event file of a TensorBoard run.

    All methods that write raise a `UserError` if the disk is full. When one returns, the operating
    system has the values.
    """

    def __init__(self, directory: Path, start: int | None) -> None:
        """Open a file.

        Args:
          directory: the run's folder; it exists.
          start: TensorBoard drops the points of older files at this step and later; None: none.
        """
        self._file, self.path = _open_new(directory)
        self._described: set[str] = set()
        source = SourceMetadata(writer=__name__)
        self._append(Event(file_version="brain.Event:2", source_metadata=source))
        # TensorBoard drops older points at a START, but not at the first one that it sees.
        # So every file carries one.
        if start is not None:
            self._append(Event(step=start, session_log=SessionLog(status=SessionLog.START)))

    def write_scalars(self, step: int, wall_time: float, metrics: Mapping[str, float]) -> None:
        """Write metrics of an update step, by tag, as one event.

        Args:
          step: the update step.
          wall_time: seconds since 1970.
          metrics: tag -> value.
        """
        values = [SummaryProto.Value(tag=tag, simple_value=value) for tag, value in metrics.items()]
        self._append(Event(step=step, wall_time=wall_time, summary=SummaryProto(value=values)))

    def write_summaries(self, step: int, summaries: Mapping[str, Summary]) -> None:
        """Write all summaries of a step as one event.

        A plugin's own metadata stands in the first value of a tag alone.
        """
        values = [summary_value(tag, item) for tag, item in summaries.items()]
        for value in values:
            if value.tag in self._described:
                value.metadata.plugin_data.ClearField("content")
        self.write_values(values, step)
        self._described.update(summaries)

    def write_values(self, values: Iterable[Any], step: int = 0) -> None:
        """Write `Summary.Value` protocol buffers as one event."""
        self._append(Event(step=step, summary=SummaryProto(value=values)))

    def write_graph(self, graph: bytes) -> None:
        """Write a serialised GraphDef."""
        self._append(Event(graph_def=graph))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _append(self, event: Any) -> None:
        write_fully(self._file, _framed(event), self.path)


def last_intact_step(directory: Path) -> int:
    """Return the last step up to which no event file has a damaged or missing record.

    A reader stops at the first such record of a file. A killed process leaves none; a machine that
    goes down may. The step is -1 without any file. Only scalars count, because only they can be
    written again.
    """
    paths = list(directory.glob(EVENT_FILES))
    sound = sys.maxsize if paths else -1
    for path in paths:
        data = path.read_bytes()
        steps, end = [], 0
        for event, end in _records(data):  # noqa: B007 (the last end is needed)
            if any(value.HasField("simple_value") for value in event.summary.value):
                steps.append(event.step)
        if end < len(data):
            sound = min(sound, max(steps, default=-1))
    return sound


def read_reports(directory: Path) -> list[tuple[int, float, dict[str, float]]]:
    """Return step, wall time and metrics by tag of each report that TensorBoard shows of a run.

    The values are in single precision. What comes after the first damaged record of a file is left
    out.
    """
    found: list[tuple[int, float, dict[str, float]]] = []
    for path in sorted(directory.glob(EVENT_FILES)):
        for event, _ in _records(path.read_bytes()):
            if event.session_log.status == SessionLog.START:
                found = [report for report in found if report[0] < event.step]
            metrics = {
                value.tag: value.simple_value
                for value in event.summary.value
                if value.HasField("simple_value")
            }
            if metrics:
                found.append((event.step, event.wall_time, metrics))
    return found


def append_values(directory: Path, values: Iterable[Any]) -> None:
    """Append `Summary.Value` protocol buffers to the last event file of a run.

    A new file is made where the last one is damaged or missing.

    Raises:
      UserError: the file cannot be written.
    """
    path = max(directory.glob(EVENT_FILES), default=None)
    if path is None or _end(path.read_bytes()) < path.stat().st_size:
        writer = EventWriter(directory, start=None)
        writer.write_values(values)
        writer.close()
        return
    with path.open("ab", buffering=0) as file:
        write_fully(file, _framed(Event(summary=SummaryProto(value=values))), path)


def remove_values(path: Path, keep: Callable[[Any], bool], graphs: bool = True) -> None:
    """Remove summary values, and graphs, from an event file.

    The bytes after the first damaged record stay as they are.

    Args:
      path: the file; it is replaced in one step, and only if anything is removed.
      keep: whether a `Summary.Value` stays.
      graphs: whether graphs stay.

    Raises:
      UserError: the file cannot be written.
    """
    data = path.read_bytes()
    parts, end, changed = [], 0, False
    for event, after in _records(data):
        kept = [value for value in event.summary.value if keep(value)]
        if len(kept) == len(event.summary.value) and (graphs or not event.HasField("graph_def")):
            parts.append(data[end:after])
        else:
            changed = True
            if kept:
                event.summary.CopyFrom(SummaryProto(value=kept))
                parts.append(_framed(event))
        end = after
    if changed:
        # Readers take a file whose name has `tfevents` in it for one of the run's.
        write_bytes(path, b"".join([*parts, data[end:]]), temporary_name="events")


def read_values(path: Path) -> list[Any]:
    """Return all `Summary.Value`s of an event file, up to the first damaged record."""
    return [value for event, _ in _records(path.read_bytes()) for value in event.summary.value]


def _records(data: bytes) -> Iterator[tuple[Any, int]]:
    """Yield the events up to the first damaged record, each with the offset of its end."""
    offset = 0
    while offset < len(data):
        header = data[offset : offset + 8]
        size = struct.unpack("<Q", header)[0] if len(header) == 8 else 0
        body = data[offset + 12 : offset + 12 + size]
        if data[offset : offset + 16 + size] != _frame(body) or len(body) < size:
            return
        offset += 16 + size
        try:
            event = Event.FromString(body)
        except DecodeError:  # its checksum is right, and another program wrote it
            return
        yield event, offset


def _end(data: bytes) -> int:
    """Return the offset of the first damaged record."""
    return max((end for _, end in _records(data)), default=0)


def _open_new(directory: Path) -> tuple[FileIO, Path]:
    """Create an event file whose name sorts after all others, and is used by no other process.

    TensorBoard reads a run's files in the order of their names, and drops points that a later file
    says it replaces. The names sort by time, except where a clock was ahead.
    """
    host = socket.gethostname()
    latest = max((_stamp(path.name) for path in directory.glob(EVENT_FILES)), default=0)
    while True:
        latest = max(time.time_ns(), latest + 1)
        seconds, nanoseconds = divmod(latest, 10**9)
        stamp = f"{seconds:010d}.{nanoseconds:09d}"
        path = directory / f"events.out.tfevents.{stamp}.{host}.{os.getpid()}"
        try:
            return path.open("xb", buffering=0), path
        except FileExistsError:
            continue
        except OSError as error:
            raise cannot_write(path, error) from error


def _stamp(name: str) -> int:
    """Return the time in an event file's name, in nanoseconds; 0 where it has none."""
    found = re.match(r"events\.out\.tfevents\.(\d{1,10})(?:\.(\d{9})\.)?", name)
    if found is None:
        return 0
    # Other programs write seconds alone, and what follows them sorts before any digit or after.
    return int(found[1]) * 10**9 + (int(found[2]) if found[2] else 10**9)


def _framed(event: Any) -> bytes:
    event.wall_time = event.wall_time or time.time()
    return _frame(event.SerializeToString())


def _frame(data: bytes) -> bytes:
    """Return a TFRecord: length, its checksum, data, its checksum; little-endian."""
    header = struct.pack("<Q", len(data))
    return header + _checksum(header) + data + _checksum(data)


def _checksum(data: bytes) -> bytes:
    """Return the CRC-32C, rotated and offset as TensorFlow masks it in `lib/hash/crc32c.h`."""
    crc = crc32c.crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
