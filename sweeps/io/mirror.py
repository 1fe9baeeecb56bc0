"""A local copy of a folder on another machine's store, at a URL that pyarrow or fsspec can open.

Trials are written by plain file operations. A trial of a sweep at a URL is therefore trained in the
local copy, which is pulled before, and pushed after each checkpoint and at the end. A folder has
one writer at a time.
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

FileFilter = Callable[[str], bool]
"""Path of a file below the root, such as `grid/size=1,id=ab/result.json` -> whether to copy it."""

FileStamp = tuple[int, Any]
"""Size of a file in bytes, and time of its last change, as the store reports them."""

PARTIAL = ".partial"
"""Ending of the name of a file that is being written."""
DOWNLOAD_THREADS = 16
_CHUNK = 2**22
"""Bytes that are sent at a time."""


def beside_trials(path: str) -> bool:
    """Filter of the files that lie in a sweep's own folder, beside those of its trials."""
    return path.count("/") == 1


def without_checkpoints(path: str) -> bool:
    """Filter of all files but checkpoints, which only a worker needs."""
    return "checkpoints" not in PurePosixPath(path).parts


@cache
def mirror_of(url: str) -> "Mirror":
    """Return the mirror of a URL, which is the same object throughout this process."""
    return Mirror(url, local_folder(url))


class Mirror:
    """A folder at a URL and a local one with the same files.

    Paths are relative to both folders.
    """

    def __init__(self, url: str, local: Path) -> None:
        """Connect to the store.

        Args:
          url: with a scheme of pyarrow (file, s3, gs, hdfs, abfs) or fsspec.
          local: the local folder; it is made at the first download.

        Raises:
          UserError: the scheme is not known, or the store cannot be reached.
        """
        self.url, self.local = url, local
        with user_errors(url):
            self._files, root = open_store(url)
        self._root = root.rstrip("/")
        self._synced: dict[str, tuple[str, FileStamp]] = {}
        """Path -> SHA-256 of the content last sent or fetched, and the store's stamp of it."""

    def list_names(self, below: str = "") -> list[str]:
        """Return the sorted names in a folder at the URL; none where the folder is missing."""
        with user_errors(self.url):
            found = self._list(below, recursive=False)
        return sorted(PurePosixPath(path).name for path in found if not path.endswith(PARTIAL))

    def pull(self, below: str = "", wanted: FileFilter = lambda path: True) -> None:
        """Make the local files of a folder equal to those at the URL.

        Files that are not wanted stay as they are on both sides.

        Raises:
          UserError: the store or the local folder fails.
        """
        with user_errors(self.url):
            remote = self._remote_files(below, wanted)
        with ThreadPoolExecutor(DOWNLOAD_THREADS) as pool:
            list(pool.map(self._download, remote, remote.values()))
        for path in self._local_files(below, wanted) - set(remote):
            (self.local / path).unlink(missing_ok=True)
        _remove_empty(self.local / below)

    def push(self, below: str = "", wanted: FileFilter = lambda path: True) -> None:
        """Make the files of a folder at the URL equal to the local ones.

        A reader at the URL sees an old file or a new one, never a part. New files are written
        before old ones are removed, the deepest first, so that a result never names a checkpoint
        that is still missing.

        Raises:
          UserError: the store fails.
        """
        local = self._local_files(below, wanted)
        with user_errors(self.url):
            remote = self._remote_files(below, wanted, partial=True)
            for path in sorted(local, key=lambda path: (-path.count("/"), path)):
                self._upload(path, remote.get(path))
            removed = set(remote) - local
            for path in removed:
                with suppress(FileNotFoundError):  # a partial file that was renamed meanwhile
                    self._files.delete_file(self._remote_path(path))
                self._synced.pop(path, None)
            self._remove_emptied(below, removed)

    def move(self, old: Path, new: Path) -> None:
        """Rename a folder locally and at the URL.

        Raises:
          UserError: the store fails.
        """
        before, after = (path.relative_to(self.local).as_posix() for path in (old, new))
        self.pull(before)
        old.rename(new)
        self.push(after)
        self.remove(before)

    def remove(self, below: str) -> None:
        """Delete a folder at the URL that no longer exists locally.

        Raises:
          UserError: the store fails.
        """
        self.push(below)
        if not self._is_object_store:
            with user_errors(self.url), suppress(FileNotFoundError):
                self._files.delete_dir(self._remote_path(below))

    def _download(self, path: str, stamp: FileStamp) -> None:
        target = self.local / path
        partial = target.with_name(f".{target.name}{PARTIAL}")
        with user_errors(self.url):
            try:
                with self._files.open_input_stream(self._remote_path(path)) as source:
                    content = source.read()
            except FileNotFoundError:
                return  # its writer has removed it meanwhile
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(content)
            partial.replace(target)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise cannot_write(target, error) from error
        self._synced[path] = (hashlib.sha256(content).hexdigest(), stamp)

    def _upload(self, path: str, stamp: FileStamp | None) -> None:
        """Write one file at the URL, unless the file there is known to have this content."""
        try:
            content = (self.local / path).read_bytes()
        except FileNotFoundError:
            return  # a checkpoint that was removed meanwhile
        digest = hashlib.sha256(content).hexdigest()
        if stamp is not None and self._synced.get(path) == (digest, stamp):
            return
        remote_path = self._remote_path(path)
        if self._is_object_store:  # an object appears when its last byte has come
            self._write(remote_path, content)
        else:
            self._files.create_dir(str(PurePosixPath(remote_path).parent), recursive=True)
            self._write(remote_path + PARTIAL, content)
            self._files.move(remote_path + PARTIAL, remote_path)
        info = self._files.get_file_info(remote_path)
        self._synced[path] = (digest, (info.size, info.mtime_ns))

    def _write(self, remote_path: str, content: bytes) -> None:
        with self._files.open_output_stream(remote_path) as target:
            for start in range(0, len(content), _CHUNK):
                target.write(content[start : start + _CHUNK])

    @property
    def _is_object_store(self) -> bool:
        return str(self._files.type_name) in ("s3", "gcs", "abfs")

    def _remote_path(self, path: str) -> str:
        return f"{self._root}/{path}" if path else self._root

    def _list(self, below: str, recursive: bool) -> dict[str, Any]:
        """Return path below the root -> pyarrow's information about the file or folder."""
        from pyarrow.fs import FileSelector

        selector = FileSelector(self._remote_path(below), allow_not_found=True, recursive=recursive)
        start = len(self._root.strip("/"))
        return {
            info.path.strip("/")[start:].strip("/"): info
            for info in self._files.get_file_info(selector)
        }

    def _remote_files(
        self, below: str, wanted: FileFilter, partial: bool = False
    ) -> dict[str, FileStamp]:
        """Return the files at the URL with their stamps; with `partial`, half-written ones, too."""
        return {
            path: (info.size, info.mtime_ns)
            for path, info in self._list(below, recursive=True).items()
            if info.is_file and wanted(path) and (partial or not path.endswith(PARTIAL))
        }

    def _local_files(self, below: str, wanted: FileFilter) -> set[str]:
        found = (self.local / below).rglob("*")
        paths = {file.relative_to(self.local).as_posix() for file in found if file.is_file()}
        return {path for path in paths if wanted(path) and not path.endswith(PARTIAL)}

    def _remove_emptied(self, below: str, removed: set[str]) -> None:
        """Remove folders at the URL that lost their last file; object stores have no folders."""
        if self._is_object_store or not removed:
            return
        files = self._remote_files(below, lambda path: True, partial=True)
        folders = {str(folder) for path in removed for folder in PurePosixPath(path).parents}
        for path in sorted(folders - {".", below}, key=len, reverse=True):
            if path.startswith(below) and not any(file.startswith(f"{path}/") for file in files):
                self._files.delete_dir(self._remote_path(path))


def _remove_empty(folder: Path) -> None:
    """Remove empty folders within a local folder, the deepest first."""
    found = [path for path in folder.rglob("*") if path.is_dir()]
    for path in sorted(found, key=lambda path: len(path.parts), reverse=True):
        if not any(path.iterdir()):
            path.rmdir()
