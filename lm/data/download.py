"""Download one file into a folder, whole or not at all, with a progress bar."""

import http.client
import os
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from sweeps.io.console import make_console

TIMEOUT = 30
"""Seconds without a byte before a download is given up."""

CHUNK = 1 << 16


class DownloadError(Exception):
    """A download failed; the message gives the reason, in half a sentence."""


def fetch(url: str, path: Path, accept: Callable[[bytes], bytes]) -> None:
    """Download `url` to `path`, making its folder.

    `accept` turns what came into what is kept, or raises `DownloadError`. The file appears in one
    step, so that neither a crash nor a second process ever meets half of it.

    Raises:
      DownloadError: no network, a refusal, a broken-off or a wrong download, an unwritable folder.
    """
    try:
        content = accept(_receive(url, path.name))
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, content)
    except (OSError, http.client.HTTPException) as error:
        raise DownloadError(_reason(error)) from error


def _replace(path: Path, content: bytes) -> None:
    # The process id keeps two processes that download at the same time apart.
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _receive(url: str, name: str) -> bytes:
    request = urllib.request.Request(url, headers={"User-Agent": "lm-sweeps"})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as response, _progress() as progress:
        announced = response.headers.get("Content-Length")
        total = int(announced) if announced and announced.isdecimal() else None
        content = bytearray()
        task = progress.add_task(name, total=total)
        while chunk := _read(response):
            content += chunk
            progress.update(task, completed=len(content))
    # http.client ends a body that broke off as if it were complete.
    if total is not None and len(content) != total:
        raise DownloadError(f"the connection broke off after {len(content)} of {total} bytes")
    return bytes(content)


def _reason(error: Exception) -> str:
    # urllib wraps "no such host" and its kind; an HTTP status says most by itself.
    if isinstance(error, URLError) and not isinstance(error, HTTPError):
        return str(error.reason)
    return str(error) or type(error).__name__


def _read(response: Any) -> bytes:
    chunk: bytes = response.read(CHUNK)
    return chunk


def _progress() -> Progress:
    return Progress(
        TextColumn("downloading {task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=make_console(stderr=True),
    )
