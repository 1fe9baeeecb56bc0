"""A headless browser on TensorBoard, as `lm.board` starts it: for benchmarks, tests and pictures.

It needs Playwright (`pip install playwright`, in the extra `dev`) and the system's Chromium.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

NAMES = ("chromium", "chromium-browser", "google-chrome")
# The projector draws by WebGL, which a machine without a screen has in software.
ARGUMENTS = ("--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
SECONDS = 300
"""Seconds that `lm.board` may take to load all runs."""


class Board(NamedTuple):
    """A running `lm.board`."""

    url: str
    text: str
    """Everything that the command printed."""
    process: subprocess.Popen[bytes]


def executable() -> str | None:
    """The system's Chromium; None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def missing() -> str | None:
    """What is missing for a browser, as a sentence; None where nothing is."""
    if find_spec("playwright") is None:
        return "there is no Playwright: pip install playwright"
    if executable() is None:
        return f"there is no browser: none of {', '.join(NAMES)} is on the PATH"
    return None


@contextmanager
def browser(path: str | None = None) -> Iterator[Any]:
    """A headless browser; the system's, or the one at a path."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as player:
        opened = player.chromium.launch(executable_path=path or executable(), args=list(ARGUMENTS))
        yield opened
        opened.close()


@contextmanager
def board(folder: str | Path, *arguments: str, module: str = "lm.board") -> Iterator[Board]:
    """Run the command on a folder, at any free port, until the end of the block."""
    command = [sys.executable, "-m", module, str(folder), "--port", "0", *arguments]
    with tempfile.TemporaryFile() as out, subprocess.Popen(command, stdout=out) as process:
        try:
            yield Board(*_printed(process, out.fileno()), process)
        finally:
            process.send_signal(signal.SIGTERM)


def _printed(process: subprocess.Popen[bytes], out: int) -> tuple[str, str]:
    """The URL and the whole text, once they are there."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        text = os.pread(out, 1 << 24, 0).decode()
        if text.endswith("; Ctrl-C ends it\n"):
            return text.splitlines()[-1].split()[0], text
        if process.poll() is not None:
            raise RuntimeError(f"lm.board ended with {process.returncode}")
        time.sleep(0.1)
    raise TimeoutError(f"lm.board did not answer in {SECONDS} s")


ROWS = "runs-data-table tb-data-table-content-row"
"""The runs that TensorBoard's Time Series page lists."""


def listed_runs(page: Any) -> list[str]:
    """Names of the runs that the page lists, filtered as they are."""
    return [text.strip() for text in page.locator(ROWS).all_inner_texts()]


def filter_runs(page: Any, expression: str) -> None:
    """Type an expression into the run filter, in place of the one there."""
    box = page.locator("tb-filter-input.run-filter input")
    box.fill("")  # typed after it, for the page listens to keys
    box.press_sequentially(expression)


def wait_for_rows(page: Any, number: int) -> None:
    """Wait until `number` runs are listed, and the page has been painted since."""
    page.wait_for_function(
        "([rows, number]) => document.querySelectorAll(rows).length === number", arg=[ROWS, number]
    )
    painted(page)


def painted(page: Any) -> None:
    """Wait until what the page has now is on the screen."""
    page.evaluate("new Promise(d => requestAnimationFrame(() => requestAnimationFrame(d)))")
