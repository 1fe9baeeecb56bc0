"""TensorBoard in this process, set up for sweeps.

In this process rather than in one of its own, because then a taken port is an exception, the port
that was free is known, and nothing is left behind however this process ends: TensorBoard's data
server ends with it.
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

SAMPLES = {"scalars": 10_000, "histograms": 500, "text": 500, "images": 100}
"""Points kept of a tag; TensorBoard keeps 1,000 scalars, 100 histograms and texts, 10 images."""
RELOAD_SECONDS = 5
"""Seconds between two looks for new points."""
DATA_SERVER_FILES = 32
"""Descriptors that TensorBoard's data server may need beside one for each event file."""
PATIENCE = 5.0
"""Seconds without a further run after which loading is waited for no longer."""
COMMON_LIMIT = 10_240
"""The most open files that macOS grants where it says that there is no limit."""


@contextmanager
def serve(folder: Path, host: str, port: int) -> Iterator[str]:
    """Serve a folder of runs while entered; gives the URL, which ends in a slash.

    Args:
      folder: TensorBoard's log directory.
      host: address to listen at.
      port: 0 for any that is free.

    Raises:
      UserError: the port or the host cannot be had.
    """
    from tensorboard import program

    board = program.TensorBoard()
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
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            url = str(board.launch())
    except program.TensorBoardPortInUseError as error:
        raise UserError(_taken(port)) from error
    except program.TensorBoardServerException as error:
        raise UserError(f"{error.msg}; give another --host or --port.") from error
    except SystemExit as error:  # the web server's way to say that it cannot listen
        why = (said.getvalue().splitlines() or ["no reason was given"])[-1]
        raise UserError(
            f"TensorBoard cannot listen at {host}:{port} ({why}); give another --host or --port."
        ) from error
    yield url
    del board  # until here: TensorBoard's data server ends with the pipe that this holds


def has_data_server() -> bool:
    """Whether TensorBoard has its data server; its loader in Python takes minutes for many runs."""
    from tensorboard.data import server_ingester

    try:
        server_ingester.get_server_binary()
    except server_ingester.NoDataServerError:
        return False
    return True


def raise_open_file_limit(needed: int) -> int:
    """Raise this process's limit of open files as far as may be; gives the limit.

    TensorBoard keeps every event file open, and leaves out, with no word in the page, the runs
    whose files it cannot open.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in (hard, max(needed, soft, COMMON_LIMIT)):
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
            break
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def wait_for_runs(url: str, expected: int, tell: Callable[[int], object]) -> int:
    """Wait until TensorBoard lists its runs, or for as long as more of them appear.

    A page that is opened earlier shows only what is there until it is told to reload.

    Args:
      url: TensorBoard's.
      expected: how many there are.
      tell: is told how many are listed, whenever it is asked.

    Returns:
      How many are listed.
    """
    listed, changed = -1, time.monotonic()
    while listed < expected and time.monotonic() - changed < PATIENCE:
        if (now := len(get_json(url, "data/runs") or [])) != listed:
            listed, changed = now, time.monotonic()
        tell(listed)
        time.sleep(0.1)
    return listed


def get_json(url: str, route: str, seconds: float = 30) -> Any:
    """What TensorBoard answers, read from JSON; None where it gives no such answer in time."""
    direct = build_opener(ProxyHandler({}))  # this machine is asked by no proxy
    try:
        with direct.open(url + route, timeout=seconds) as answer:
            return json.load(answer)
    except (URLError, OSError, ValueError):
        return None


def _taken(port: int) -> str:
    known = get_json(f"http://localhost:{port}/", "data/environment", seconds=2)
    where = known.get("data_location") if isinstance(known, dict) else None
    by = f"by a TensorBoard of {where}" if where else "by another program"
    return f"port {port} is taken {by}; end that, or give another --port (0: any that is free)."
