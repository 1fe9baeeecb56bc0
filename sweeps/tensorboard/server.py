"""TensorBoard's server in this process, set up for sweeps.

It runs in this process rather than in one of its own for three reasons: a port in use raises an
exception, the port that was free is known, and TensorBoard's data server ends whenever
this process does.
"""

import io
import json
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, suppress
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from sweeps.errors import UserError
from sweeps.tensorboard.assets import assets_with_room

SAMPLES = {"scalars": 10_000, "histograms": 500, "text": 500, "images": 100}
"""Plugin -> points kept of a tag.

TensorBoard's own numbers are 1,000 scalars, 100 histograms and texts, and 10 images."""
RELOAD_SECONDS = 5
"""Seconds between two searches for new points."""
DATA_SERVER_FILES = 32
"""Open files that TensorBoard's data server may need in addition to the event files."""
LOAD_TIMEOUT = 5.0
"""Seconds without a further loaded run after which `wait_for_runs` gives up."""
MACOS_OPEN_FILES = 10_240
"""Most open files that macOS grants where it reports no limit."""


@contextmanager
def serve(folder: Path, host: str, port: int, letters: int = 0) -> Iterator[str]:
    """Serve a folder of runs while the context is entered.

    Args:
      folder: TensorBoard's log directory.
      host: address to listen at.
      port: port to listen at; 0: any that is free.
      letters: length of the names for which the list of runs has room; 0: as TensorBoard has it.

    Yields:
      The URL, which ends in a slash.

    Raises:
      UserError: TensorBoard cannot listen at this host and port.
    """
    from tensorboard import program

    board = program.TensorBoard(assets_zip_provider=assets_with_room(letters))
    board.configure(
        logdir=str(folder),
        host=host,
        port=port,
        reload_interval=RELOAD_SECONDS,
        # For the loader in Python, which stands in where there is no data server.
        reload_multifile=True,
        samples_per_plugin=dict(SAMPLES),
        window_title=folder.resolve().name,
    )
    stderr = io.StringIO()
    try:
        with redirect_stderr(stderr):
            url = str(board.launch())
    except program.TensorBoardPortInUseError as error:
        raise UserError(_port_in_use(port)) from error
    except program.TensorBoardServerException as error:
        raise UserError(f"{error.msg}; give another --host or --port.") from error
    except SystemExit as error:  # how the web server reports that it cannot listen
        why = (stderr.getvalue().splitlines() or ["no reason was given"])[-1]
        raise UserError(
            f"TensorBoard cannot listen at {host}:{port} ({why}); give another --host or --port."
        ) from error
    yield url
    del board  # until here: TensorBoard's data server ends with the pipe that this holds


def has_data_server() -> bool:
    """Return whether TensorBoard's data server is installed.

    Without it, TensorBoard's loader in Python takes minutes for many runs.
    """
    from tensorboard.data import server_ingester

    try:
        server_ingester.get_server_binary()
    except server_ingester.NoDataServerError:
        return False
    return True


def raise_open_file_limit(needed: int) -> int:
    """Raise this process's limit of open files as far as allowed, and return the limit.

    TensorBoard keeps every event file open. It leaves out runs whose files it cannot open, and the
    page does not say so.

    Args:
      needed: number of files to be opened.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in (hard, max(needed, soft, MACOS_OPEN_FILES)):
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
            break
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def wait_for_runs(url: str, expected: int, on_progress: Callable[[int], object]) -> int:
    """Wait until TensorBoard lists its runs, or for as long as more of them appear.

    A page that is opened earlier shows only the runs that are loaded then, until it is reloaded.

    Args:
      url: URL of TensorBoard.
      expected: number of runs.
      on_progress: called with the number of listed runs after each request.

    Returns:
      Number of listed runs.
    """
    listed, changed = -1, time.monotonic()
    while listed < expected and time.monotonic() - changed < LOAD_TIMEOUT:
        if (now := len(get_json(url, "data/runs") or [])) != listed:
            listed, changed = now, time.monotonic()
        on_progress(listed)
        time.sleep(0.1)
    return listed


def get_json(url: str, route: str, seconds: float = 30) -> Any:
    """Request a route of TensorBoard and return its JSON; None where no JSON comes in time."""
    direct = build_opener(ProxyHandler({}))  # a proxy is no way to this machine
    try:
        with direct.open(url + route, timeout=seconds) as answer:
            return json.load(answer)
    except (URLError, OSError, ValueError):
        return None


def _port_in_use(port: int) -> str:
    """Return the sentence about a port that another program has."""
    known = get_json(f"http://localhost:{port}/", "data/environment", seconds=2)
    where = known.get("data_location") if isinstance(known, dict) else None
    by = f"by a TensorBoard of {where}" if where else "by another program"
    return f"port {port} is taken {by}; end that, or give another --port (0: any that is free)."
