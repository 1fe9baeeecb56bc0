"""Folders on another machine's store: any URL that pyarrow or fsspec can open.

A trial is written by plain file operations, so it is trained in a local folder that mirrors the one
at the URL: pulled before, pushed after each checkpoint and at the end. One writer a folder.
"""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from sweeps.io.atomic import cannot_write
from sweeps.io.cache_dir import local_folder
from sweeps.io.url import open_store, user_errors

Wanted = Callable[[str], bool]
"""Whether a file is meant, by its path below the root: `grid/size=1,id=ab/result.json`."""

Stamp = tuple[int, Any]
"""Size and time of a file, as the store has them."""

PARTIAL = ".partial"
"""Ends the name of a file that is being written."""
THREADS = 16
_CHUNK = 2**22


def beside_trials(path: str) -> bool:
    """Wanted when a driver ends: what lies beside the trials' folders, not in them."""
    return path.count("/") == 1


def without_checkpoints(path: str) -> bool:
    """Wanted by a driver: all that describes trials, not what only a worker needs."""
    return "checkpoints" not in PurePosixPath(path).parts


@cache
def mirror_of(url: str) -> "Mirror":
    """The one mirror of a URL in this process."""
    return Mirror(url, local_folder(url))


class Mirror:
    """A folder at a URL and a local one with the same files; paths below both are relative."""

    def __init__(self, url: str, local: Path) -> None:
        """Connect.

        Args:
          url: with a scheme of pyarrow (file, s3, gs, hdfs, abfs) or fsspec.
          local: made when something is pulled.

        Raises:
          UserError: no such scheme, a package or credentials are missing, or nothing answers.
        """
        self.url, self.local = url, local
        with user_errors(url):
            self._files, root = open_store(url)
        self._root = root.rstrip("/")
        self._known: dict[str, tuple[str, Stamp]] = {}
        """Path -> digest of what was last sent or fetched, and the store's size and time of it."""

    def names(self, below: str = "") -> list[str]:
        """Files and folders directly in a folder there; none where it is missing."""
        with user_errors(self.url):
            found = self._list(below, recursive=False)
        return sorted(PurePosixPath(path).name for path in found if not path.endswith(PARTIAL))

    def pull(self, below: str = "", wanted: Wanted = lambda path: True) -> None:
        """Make the local files of a folder those at the URL; those not wanted stay as they are.

        Raises:
          UserError: the store or the local folder fails.
        """
        with user_errors(self.url):
            there = self._remote(below, wanted)
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(self._download, there, there.values()))
        for path in self._local(below, wanted) - set(there):
            (self.local / path).unlink(missing_ok=True)
        _remove_empty(self.local / below)

    def push(self, below: str = "", wanted: Wanted = lambda path: True) -> None:
        """Make the files of a folder at the URL those of the local one.

        A reader there sees an old file or a new one, never a part. New files come before old ones
        go, the deepest first: so results tell of checkpoints that are there already.

        Raises:
          UserError: the store fails.
        """
        here = self._local(below, wanted)
        with user_errors(self.url):
            there = self._remote(below, wanted, partial=True)
            for path in sorted(here, key=lambda path: (-path.count("/"), path)):
                self._upload(path, there.get(path))
            gone = set(there) - here
            for path in gone:
                with suppress(FileNotFoundError):  # a part that was renamed just now
                    self._files.delete_file(self._place(path))
                self._known.pop(path, None)
            self._remove_emptied(below, gone)

    def move(self, old: Path, new: Path) -> None:
        """Rename a local folder, and the one at the URL."""
        before, after = (path.relative_to(self.local).as_posix() for path in (old, new))
        self.pull(before)
        old.rename(new)
        self.push(after)
        self.remove(before)

    def remove(self, below: str) -> None:
        """Delete a folder there that is no longer here."""
        self.push(below)
        if not self._is_object_store:
            with user_errors(self.url), suppress(FileNotFoundError):
                self._files.delete_dir(self._place(below))

    def _download(self, path: str, stamp: Stamp) -> None:
        target = self.local / path
        beside = target.with_name(f".{target.name}{PARTIAL}")
        with user_errors(self.url):
            try:
                with self._files.open_input_stream(self._place(path)) as source:
                    content = source.read()
            except FileNotFoundError:
                return  # its writer has removed it meanwhile
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(content)
            beside.replace(target)
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise cannot_write(target, error) from error
        self._known[path] = (hashlib.sha256(content).hexdigest(), stamp)

    def _upload(self, path: str, stamp: Stamp | None) -> None:
        """Write one file there, unless it is known to be the same."""
        try:
            content = (self.local / path).read_bytes()
        except FileNotFoundError:
            return  # a checkpoint that was given up meanwhile
        digest = hashlib.sha256(content).hexdigest()
        if stamp is not None and self._known.get(path) == (digest, stamp):
            return
        place = self._place(path)
        if self._is_object_store:  # an object appears when its last byte has come
            self._write(place, content)
        else:
            self._files.create_dir(str(PurePosixPath(place).parent), recursive=True)
            self._write(place + PARTIAL, content)
            self._files.move(place + PARTIAL, place)
        info = self._files.get_file_info(place)
        self._known[path] = (digest, (info.size, info.mtime_ns))

    def _write(self, place: str, content: bytes) -> None:
        with self._files.open_output_stream(place) as target:
            for start in range(0, len(content), _CHUNK):
                target.write(content[start : start + _CHUNK])

    @property
    def _is_object_store(self) -> bool:
        return str(self._files.type_name) in ("s3", "gcs", "abfs")

    def _place(self, path: str) -> str:
        return f"{self._root}/{path}" if path else self._root

    def _list(self, below: str, recursive: bool) -> dict[str, Any]:
        """Path below the root -> what pyarrow knows of it."""
        from pyarrow.fs import FileSelector

        selector = FileSelector(self._place(below), allow_not_found=True, recursive=recursive)
        start = len(self._root.strip("/"))
        return {
            info.path.strip("/")[start:].strip("/"): info
            for info in self._files.get_file_info(selector)
        }

    def _remote(self, below: str, wanted: Wanted, partial: bool = False) -> dict[str, Stamp]:
        """Files there -> size and time; with `partial`, those that a dead process left half too."""
        return {
            path: (info.size, info.mtime_ns)
            for path, info in self._list(below, recursive=True).items()
            if info.is_file and wanted(path) and (partial or not path.endswith(PARTIAL))
        }

    def _local(self, below: str, wanted: Wanted) -> set[str]:
        found = (self.local / below).rglob("*")
        paths = {file.relative_to(self.local).as_posix() for file in found if file.is_file()}
        return {path for path in paths if wanted(path) and not path.endswith(PARTIAL)}

    def _remove_emptied(self, below: str, gone: set[str]) -> None:
        """Remove folders there that lost their last file; object stores have no folders."""
        if self._is_object_store or not gone:
            return
        files = self._remote(below, lambda path: True, partial=True)
        folders = {str(folder) for path in gone for folder in PurePosixPath(path).parents}
        for path in sorted(folders - {".", below}, key=len, reverse=True):
            if path.startswith(below) and not any(file.startswith(f"{path}/") for file in files):
                self._files.delete_dir(self._place(path))


def _remove_empty(folder: Path) -> None:
    """Remove folders within that hold nothing, from the deepest up."""
    found = [path for path in folder.rglob("*") if path.is_dir()]
    for path in sorted(found, key=lambda path: len(path.parts), reverse=True):
        if not any(path.iterdir()):
            path.rmdir()
