"""`log.txt`: what a trial's process wrote to standard output and standard error, capped.

While a process writes more than half of the cap, what comes later stands beside it, in files
`log.tail-<offset>.txt`; the offset counts the bytes of these files from the first. The next process
that trains the trial, or the end of this one, puts them together.
"""

import mmap
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sweeps.io.atomic import write_bytes

LOG_FILE = "log.txt"
MEGABYTE = 1_000_000
MARKER = re.compile(rb"^--- (\d+) bytes are left out here \(sweep\.log_megabytes\) ---\n", re.M)
TAIL = re.compile(r"log\.tail-(\d+)\.txt")
CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")
"""Colours and movements of the cursor, and other characters that are no text."""
LINE_BYTES = 4096
"""A cut moves by so much at most to come to the end of a line."""
LAST_BYTES = 16384
"""The last lines are looked for in so many bytes."""
LINE_CHARACTERS = 200
"""Part of a long line that is shown."""

Piece = tuple[Path, int, int]
"""A file, and start and length of a part of it."""


def tail_path(directory: Path, offset: int) -> Path:
    """The file that holds what was written from an offset on."""
    return directory / f"log.tail-{offset}.txt"


def tails(directory: Path) -> list[tuple[int, Path]]:
    """Offset and path of each file beside `log.txt`, in the order in which they were written."""
    found = [(TAIL.fullmatch(path.name), path) for path in directory.glob("log.tail-*.txt")]
    return sorted((int(match[1]), path) for match, path in found if match)


def cap_log(directory: Path, limit: int) -> bool:
    """Put the files of a log together in `log.txt`, and leave out its middle beyond a limit.

    Args:
      directory: the trial's folder; no process writes to its log.
      limit: bytes.

    Returns:
      Whether the file was written anew.

    Raises:
      UserError: it cannot be written.
    """
    path, later = directory / LOG_FILE, tails(directory)
    size = path.stat().st_size if path.exists() else 0
    if not later and size <= limit:
        return False
    end, rest, left_out = _find_marker(path, size)
    pieces, missing = _without_gaps((path, rest, size - rest), later)
    left_out += missing
    total = end + sum(length for _, _, length in pieces)
    if total <= limit and not later:
        return False
    head = _read(path, 0, end)
    if total > limit and end > limit // 2:
        cut = _line_end(head, limit // 2)
        if left_out:
            left_out += end - cut
        else:  # what is cut off comes first in the rest
            pieces.insert(0, (path, cut, end - cut))
        head = head[:cut]
    tail, skipped = _last_bytes(pieces, limit - len(head))
    left_out += skipped
    marker = b"--- %d bytes are left out here (sweep.log_megabytes) ---\n" % left_out
    if head and not head.endswith(b"\n"):
        marker = b"\n" + marker
    write_bytes(path, head + (marker if left_out else b"") + tail, durable=False)
    for _, one in later:
        one.unlink(missing_ok=True)
    return True


def _find_marker(path: Path, size: int) -> tuple[int, int, int]:
    """Bytes before the marker of a capped file, and up to its end; and what number it tells."""
    if size:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            if match := MARKER.search(text):
                return match.start(), match.end(), int(match[1])
    return size, size, 0


def _without_gaps(first: Piece, later: Sequence[tuple[int, Path]]) -> tuple[list[Piece], int]:
    """The last pieces of a log between which nothing is missing; and the bytes that come before."""
    pieces, left_out, end = [first], 0, 0
    for offset, path in later:
        if offset > end:
            left_out += offset - end + sum(length for _, _, length in pieces)
            pieces = []
        length = path.stat().st_size
        pieces.append((path, 0, length))
        end = offset + length
    return pieces, left_out


def _read(path: Path, start: int, length: int) -> bytes:
    if not length:
        return b""
    with path.open("rb") as file:
        file.seek(start)
        return file.read(length)


def _line_end(text: bytes, limit: int) -> int:
    """The end of the last line within a limit; the limit where lines are long."""
    return text.rfind(b"\n", max(0, limit - LINE_BYTES), limit) + 1 or limit


def _last_bytes(pieces: Sequence[Piece], limit: int) -> tuple[bytes, int]:
    """The last bytes of pieces of files, from the start of a line on; and how many come before."""
    skip = total = sum(length for _, _, length in pieces)
    kept: list[bytes] = []
    for path, start, length in reversed(pieces):
        size = min(length, limit - (total - skip))
        kept.insert(0, _read(path, start + length - size, size))
        skip -= size
    text = b"".join(kept)
    if skip:
        cut = text.find(b"\n", 0, LINE_BYTES) + 1
        return text[cut:], skip + cut
    return text, 0


def is_no_log(path: str) -> bool:
    """Whether a file, given by its path, is none of those of a log."""
    name = path.rpartition("/")[2]
    return name != LOG_FILE and not TAIL.fullmatch(name)


@contextmanager
def log_kept(directory: Path, limit: int) -> Iterator[None]:
    """Keep what a killed process printed, while the folder is made equal to a copy elsewhere.

    Only a process that ends by itself brings all of its log to that place.

    Args:
      directory: a trial's folder; no process writes to its log.
      limit: bytes of the log.
    """
    path = directory / LOG_FILE
    if not path.exists():
        yield
        return
    cap_log(directory, limit)
    before = path.read_bytes()
    yield
    after = path.read_bytes() if path.exists() else b""
    if len(after) < len(before) and before.startswith(after) and directory.is_dir():
        write_bytes(path, before, durable=False)


def last_lines(directory: Path, count: int) -> list[str]:
    """The last lines of a trial's log that are not empty, without colours; long ones are cut."""
    paths = [directory / LOG_FILE, *(path for _, path in tails(directory))]
    text = b""
    for path in reversed(paths):
        size = path.stat().st_size if path.exists() else 0
        length = min(size, LAST_BYTES)
        text = _read(path, size - length, length) + text
        if len(text) >= LAST_BYTES:
            break
    # A progress bar writes its line again and again: the last state of it counts.
    shown = [
        line.rstrip("\r").rpartition("\r")[2] for line in text.decode(errors="replace").split("\n")
    ]
    plain = [CONTROL.sub("", line).rstrip()[:LINE_CHARACTERS] for line in shown]
    return [line for line in plain if line][-count:]
