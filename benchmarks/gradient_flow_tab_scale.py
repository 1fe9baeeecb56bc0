"""Scale of the tab "Gradient flow": seconds, and memory of tab and server with many records.

    python -m benchmarks.gradient_flow_tab_scale          # 10 trials of 500 records
    python -m benchmarks.gradient_flow_tab_scale --trials 2 --records 10000 --length 25

The records are made up, of an LSTM's three components over 25 steps. `lm.board` serves them, and a
headless browser opens the tab, goes through batches, and compares two trials.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple
from urllib.parse import quote

import psutil

from benchmarks.harness import tables
from benchmarks.tensorboard import browser
from benchmarks.tensorboard.gradient_flow_runs import write_run

EVERY = 100
SECONDS = 180
"""Seconds that the page may take for anything."""
KEYS = 15
READY = "main#flow[data-ready]:not([aria-busy])"
HEADER = (
    "events MB",
    "served s",
    "tab s",
    "compared s",
    "batch ms",
    "preview ms",
    "tab MB",
    "TensorBoard alone MB",
    "server MB",
)


class TabMeasurement(NamedTuple):
    """Measured values, in the order of `HEADER`."""

    events: float
    """MB of the event files."""
    served: float
    """Seconds from the command's start until it printed its links."""
    tab: float
    """Seconds from opening the tab's address until a batch is drawn, with the page's own start."""
    compared: float
    """Seconds from choosing a second trial until both are drawn."""
    batch: float
    """Milliseconds from a key to the batch 10 further on, which is loaded first; median."""
    preview: float
    """Milliseconds from pointing at the overview to the batch there."""
    heap: float
    """MB of JavaScript's heap and arrays after all that, TensorBoard's own page included."""
    alone: float
    """MB of TensorBoard's page with a tab that shows nothing."""
    server: float
    """Resident MB of TensorBoard's data server."""


def measure(trials: int, records: int, length: int) -> TabMeasurement:
    """Write runs, serve them, and use the tab."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        names = [f"grid/cell=lstm,seed={number},id={number:06x}" for number in range(trials)]
        for name in names:
            write_run(folder / name, range(0, EVERY * records, EVERY), "lstm", length)
        size = sum(path.stat().st_size for path in folder.rglob("*tfevents*")) / 1e6
        began = time.perf_counter()
        with browser.board(folder) as board:
            served = time.perf_counter() - began
            times = measure_tab(board.url, names)
            [server] = psutil.Process(board.process.pid).children()
            return TabMeasurement(size, served, *times, server.memory_info().rss / 1e6)


def measure_tab(url: str, names: list[str]) -> tuple[float, float, float, float, float, float]:
    """Seconds, milliseconds and MB as in `TabMeasurement`, from `tab` to `alone`."""
    with browser.browser() as opened:
        page = opened.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(1000 * SECONDS)
        chosen = f"p.lm-gradient-flow.run={quote(names[0], safe='')}"
        frame = page.frame_locator("iframe")

        def first() -> None:
            page.goto(f"{url}#lm-gradient-flow&{chosen}")
            drawn(frame, "Update")

        def second() -> None:
            frame.locator(".chooser.b select").select_option(names[-1])
            frame.locator(".panel.b .facts", has_text="Update").wait_for()
            frame.locator(READY).wait_for()

        tab, compared = seconds(first), seconds(second)
        batch = median(seconds(lambda: step(page, frame)) for _ in range(KEYS))
        figure = frame.locator(".overview .figure")
        preview = median(
            seconds(lambda at=at: point(page, frame, figure, at))  # type: ignore[misc]
            for at in range(200, 200 + 60 * KEYS, 60)
        )
        heap = memory(page)
        page.goto("about:blank")
        page.goto(f"{url}#lm-gradient-flow&p.lm-gradient-flow.filter=nothing")
        frame.locator(".empty", has_text="No trial matches").wait_for()
        return tab, compared, 1000 * batch, 1000 * preview, heap, memory(page)


def drawn(frame: Any, text: str) -> None:
    """Wait until a batch is shown whose facts have this text."""
    frame.locator(READY).wait_for()
    frame.locator(".panel.a .facts", has_text=text).wait_for()


def step(page: Any, frame: Any) -> None:
    """Go ten batches back, and wait for them."""
    before = facts(frame)
    page.keyboard.press("PageUp")
    changed(page, frame, before)


def point(page: Any, frame: Any, figure: Any, across: float) -> None:
    """Point at the overview, and wait for the batch there."""
    before = facts(frame)
    figure.hover(position={"x": across, "y": 40})
    changed(page, frame, before)


def facts(frame: Any) -> str:
    return str(frame.locator(".panel.a .facts").inner_text())


def changed(page: Any, frame: Any, before: str) -> None:
    """Wait until another batch is shown."""
    while facts(frame) == before:
        page.wait_for_timeout(2)
    frame.locator(READY).wait_for()


def seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def memory(page: Any) -> float:
    """MB of heap and arrays of a page with its frames, which are of one origin."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    used = session.send("Runtime.getHeapUsage")
    return float(used["usedSize"] + used["backingStorageSize"]) / 1e6


def main() -> None:
    """Print a row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--records", type=int, default=500)
    parser.add_argument("--length", type=int, default=25)
    tables.add_options(parser)
    given = parser.parse_args()
    page = tables.Page(given.markdown)
    if reason := browser.missing():
        page.say(f"Nothing is measured, for {reason}.")
        return
    found = measure(given.trials, given.records, given.length)
    cells = [f"{value:.0f}" if value >= 100 else f"{value:.3g}" for value in found]
    title = f"{given.trials} trials of {given.records} records of {given.length} steps"
    page.show(tables.Table(title, HEADER, [cells], "", words=0))


if __name__ == "__main__":
    main()
