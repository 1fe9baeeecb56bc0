"""A local copy of a folder on another machine's store, at a URL that pyarrow or fsspec can open.

Trials are written by plain file operations. A trial of a sweep at a URL is therefore trained in the
local copy, which is pulled before, and pushed after each checkpoint and at the end. A folder has
one writer at a time.

A store that does not answer is waited for (see `sweeps.io.retry`), once it has answered a first
time: before that the URL may be wrong. Whoever can write to the store chooses the names in it, so a
name that leads out of the folder is left alone, and so is a link.
"""

import hashlib
import os
import re
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from sweeps.errors import UserError
from sweeps.io.atomic import cannot_write
from sweeps.io.cache_dir import local_folder
from sweeps.io.retry import tell_away, warn_once
from sweeps.io.url import StoreAwayError, ask_store, open_store, refuse_secrets, store_name

T = TypeVar("T")

FileFilter = Callable[[str], bool]
"""Path of a file below the root, such as `grid/size=1,id=ab/result.json` -> whether to copy it."""

FileStamp = tuple[int, Any]
"""Size of a file in bytes, and time of its last change, as the store reports them."""

PARTIAL = ".partial"
"""Ending of the name of a file that is being written."""
DOWNLOAD_THREADS = 16
AWAY_SECONDS = 30.0
"""Time between two looks for a store that does not answer, where nothing waits for it."""
_CHUNK = 2**22
"""Bytes that are sent at a time."""


def beside_trials(path: str) -> bool:
    """Filter of the files that lie in a sweep's own folder, beside those of its trials."""
    return path.count("/") == 1


def without_checkpoints(path: str) -> bool:
    """Filter of all files but checkpoints, which only a worker needs."""
    return "checkpoints" not in PurePosixPath(path).parts


def is_safe_name(path: str) -> bool:
    """Return whether a path leads to a file within the folder that it is joined to."""
    parts = path.split("/")
    foreign = "\\" in path or "\0" in path or re.match("[A-Za-z]:", path)
    return not foreign and not any(part in ("", ".", "..") for part in parts)


_mirrors: dict[str, "Mirror"] = {}


def mirror_of(url: str, *, wait: bool = False) -> "Mirror":
    """Return the mirror of a URL, which is the same object throughout this process.

    Args:
      url: as for `Mirror`.
      wait: whether the store is known to be there, so that it is waited for from the start.

    Raises:
      UserError: as `Mirror` does.
    """
    if url not in _mirrors:
        _mirrors[url] = Mirror(url, local_folder(url), wait=wait)
    return _mirrors[url]


class Mirror:
    """A folder at a URL and a local one with the same files.

    Paths are relative to both folders.
    """

    def __init__(self, url: str, local: Path, *, wait: bool = False) -> None:
        """Connect to the store.

        Args:
          url: with a scheme of pyarrow (file, s3, gs, hdfs, abfs) or fsspec.
          local: the local folder; it is made at the first download.
          wait: whether the store is waited for before it has answered a first time.

        Raises:
          UserError: the scheme is not known, the store cannot be reached, or the URL has a password
            in it.
        """
        refuse_secrets(url)
        self.url, self.local = url, local
        self._has_answered = wait
        self._away_until = float("-inf")
        self._files, root = ask_store(url, lambda: open_store(url), wait)
        self._root = root.rstrip("/")
        self._synced: dict[str, tuple[str, FileStamp]] = {}
        """Path -> SHA-256 of the content last sent or fetched, and the store's stamp of it."""

    def list_names(self, below: str = "", *, wait: bool = True) -> list[str]:
        """Return the sorted names in a folder at the URL; none where the folder is missing.

        Args:
          below: the folder.
          wait: whether a store that does not answer is waited for; else it has no names.

        Raises:
          UserError: the store fails.
        """
        found = self._ask(lambda: self._list(below, recursive=False), wait, dict[str, Any]())
        return sorted(PurePosixPath(path).name for path in found if not path.endswith(PARTIAL))

    def pull(self, below: str = "", wanted: FileFilter = lambda path: True) -> None:
        """Make the local files of a folder equal to those at the URL.

        Files that are not wanted stay as they are on both sides.

        Raises:
          UserError: the store or the local folder fails.
        """
        fetched: set[str] = set()

        def fetch() -> set[str]:
            remote = self._remote_files(below, wanted)
            left = {path: stamp for path, stamp in remote.items() if path not in fetched}
            with ThreadPoolExecutor(DOWNLOAD_THREADS) as pool:
                fetched.update(pool.map(self._download, left, left.values()))
            return set(remote)

        for path in self._local_files(below, wanted) - self._ask(fetch):
            (self.local / path).unlink(missing_ok=True)
        _remove_empty(self.local / below)

    def push(
        self, below: str = "", wanted: FileFilter = lambda path: True, *, wait: bool = True
    ) -> None:
        """Make the files of a folder at the URL equal to the local ones.

        A reader at the URL sees an old file or a new one, never a part. New files are written
        before old ones are removed, the deepest first, so that a result never names a checkpoint
        that is still missing.

        Args:
          below: the folder.
          wanted: files that are not wanted stay as they are on both sides.
          wait: whether a store that does not answer is waited for; else it stays as it is, and a
            later push makes up for it.

        Raises:
          UserError: the store fails.
        """
        self._ask(lambda: self._push(below, wanted), wait, None)

    def _push(self, below: str, wanted: FileFilter) -> None:
        local = self._local_files(below, wanted)
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

        def remove_folder() -> None:
            with suppress(FileNotFoundError):
                self._files.delete_dir(self._remote_path(below))

        if not self._is_object_store:
            self._ask(remove_folder)

    def file_system(self, path: str) -> tuple[Any, str]:
        """Return pyarrow's file system of the store, and a path in it that is below the URL."""
        return self._files, self._remote_path(path)

    def read_file(self, path: str, *, wait: bool = True) -> bytes | None:
        """Return what a file at the URL holds; None where it is missing.

        Args:
          path: of the file.
          wait: whether a store that does not answer is waited for; else the file is missing.

        Raises:
          UserError: the store fails.
        """
        return self._ask(lambda: self._read(path), wait, None)

    def write_file(self, path: str, content: bytes, *, wait: bool = True) -> None:
        """Replace a file at the URL; the local one stays as it is.

        Args:
          path: of the file.
          content: the new bytes.
          wait: whether a store that does not answer is waited for; else nothing is written.

        Raises:
          UserError: the store fails.
        """
        part = f".{uuid.uuid4().hex}{PARTIAL}"  # another machine may write the same file now
        self._ask(lambda: self._replace(self._remote_path(path), content, part), wait, None)

    def delete_file(self, path: str) -> None:
        """Delete a file at the URL, if it is there.

        Raises:
          UserError: the store fails.
        """

        def delete() -> None:
            with suppress(FileNotFoundError):
                self._files.delete_file(self._remote_path(path))

        self._ask(delete)

    def _ask(self, work: Callable[[], T], wait: bool = True, without: T | None = None) -> T:
        """Return what some work on the store returns.

        Args:
          work: may be done again after it failed midway.
          wait: whether a store that does not answer is waited for.
          without: what is returned if it does not answer and is not waited for.

        Raises:
          UserError: the store fails.
        """
        if not wait and time.monotonic() < self._away_until:
            return without  # type: ignore[return-value]
        try:
            result = ask_store(self.url, work, wait and self._has_answered)
        except StoreAwayError as error:
            if wait:
                raise
            tell_away(store_name(self.url), error.__cause__ or error)
            self._away_until = time.monotonic() + AWAY_SECONDS
            return without  # type: ignore[return-value]
        self._has_answered, self._away_until = True, float("-inf")
        return result

    def _read(self, path: str) -> bytes | None:
        try:
            with self._files.open_input_stream(self._remote_path(path)) as source:
                return bytes(source.read())
        except FileNotFoundError:
            # Libraries of fsspec take a file that they cannot ask for for one that is missing.
            if self._files.get_file_info(self._remote_path(path)).is_file:
                raise ConnectionError(f"{path} is there and was not found") from None
            return None

    def _download(self, path: str, stamp: FileStamp) -> str:
        """Fetch a file, and return its path."""
        content = self._read(path)
        if content is None:
            return path  # its writer has removed it meanwhile
        target = self.local / path
        partial = target.with_name(f".{target.name}{PARTIAL}")
        if link := _link_in(self.local, path):
            raise UserError(
                f"{link} is a link, which the files at {self.url} are not to go through; remove it."
            )
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(content)
            partial.replace(target)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise cannot_write(target, error) from error
        self._synced[path] = (hashlib.sha256(content).hexdigest(), stamp)
        return path

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
        if self._is_local and (link := _link_in(Path(self._root), path)):
            raise UserError(
                f"{link} is a link, and a sweep at a URL writes through none; remove it."
            )
        self._replace(remote_path, content)
        info = self._files.get_file_info(remote_path)
        self._synced[path] = (digest, (info.size, info.mtime_ns))

    def _replace(self, remote_path: str, content: bytes, part: str = PARTIAL) -> None:
        """Write a file at the URL in one step."""
        if self._is_object_store:  # an object appears when its last byte has come
            self._write(remote_path, content)
            return
        self._files.create_dir(str(PurePosixPath(remote_path).parent), recursive=True)
        self._write(remote_path + part, content)
        self._files.move(remote_path + part, remote_path)

    def _write(self, remote_path: str, content: bytes) -> None:
        with self._files.open_output_stream(remote_path) as target:
            for start in range(0, len(content), _CHUNK):
                target.write(content[start : start + _CHUNK])

    @property
    def _is_object_store(self) -> bool:
        return str(self._files.type_name) in ("s3", "gcs", "abfs")

    @property
    def _is_local(self) -> bool:
        """Whether the store is a disk of this machine, which may have links on it."""
        return str(self._files.type_name) == "local"

    def _remote_path(self, path: str) -> str:
        return f"{self._root}/{path}" if path else self._root

    def _list(self, below: str, recursive: bool) -> dict[str, Any]:
        """Return path below the root -> pyarrow's information about the file or folder.

        Names that lead out of the folder, and links, are left out.
        """
        from pyarrow.fs import FileSelector, FileType

        folder = self._remote_path(below)
        selector = FileSelector(folder, allow_not_found=True, recursive=recursive)
        start = len(self._root.strip("/")) + 1 if self._root.strip("/") else 0
        found, known = {}, set[str]()
        listed = self._files.get_file_info(selector)
        if not listed and self._files.get_file_info(folder).type == FileType.Directory:
            listed = self._files.get_file_info(selector)  # see `_read`
        for info in listed:
            path = info.path.removeprefix("/")[start:]
            path = path if info.is_file else path.rstrip("/")
            if not path and not info.is_file:  # the folder itself
                continue
            linked = self._is_local and _link_in(Path(self._root), path, known)
            if not linked and is_safe_name(path):
                found[path] = info
            elif linked or info.is_file:
                what = "is a link" if linked else "may lead to another folder"
                warn_once(f"{path!r} at {self.url} {what}; it is left alone.")
        return found

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


def _link_in(root: Path, path: str, known: set[str] | None = None) -> str:
    """Return the first part of a path below a root that is a link; empty: none is.

    Args:
      root: may itself be, or lie behind, a link.
      path: the path below it.
      known: folders that are known to be no links; more are added.
    """
    known = set() if known is None else known
    place, folders = str(root), path.split("/")
    for number, part in enumerate(folders, start=1):
        place = f"{place}/{part}"
        if place not in known and os.path.islink(place):
            return place
        if number < len(folders):
            known.add(place)
    return ""


def _remove_empty(folder: Path) -> None:
    """Remove empty folders within a local folder, the deepest first."""
    found = [path for path in folder.rglob("*") if path.is_dir()]
    for path in sorted(found, key=lambda path: len(path.parts), reverse=True):
        if not any(path.iterdir()):
            path.rmdir()
