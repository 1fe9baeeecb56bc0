"""Scale of TensorBoard: seconds, memory and lost runs with the runs of a large sweep.

python -m benchmarks.tensorboard_scale --runs 500 2000

The runs are copies of a few real trials, named by a grid of the layer sizes, learning rates and
seeds; without `--source FOLDER` of a sweep's trials the shipped sweep `clip_level` is trained
first. `lm.board` serves them, and a headless browser opens them.
"""

import argparse
import json
import math
import re
import tempfile
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode
from urllib.request import urlopen

import psutil

from benchmarks.harness import tables
from benchmarks.tensorboard import browser
from benchmarks.tensorboard.copied_runs import copy_runs, train_sources
from sweeps.cli.board import MAX_SELECTED_RUNS

PAUSE = 3.0
"""Seconds between two requests for what is loaded."""
FILTER = "rnn_size=192.*hidden_size=96"
TAG = "train/loss"
TAGS = "^(train|valid)/(loss|perplexity)$"
SECONDS = 180
"""Seconds that the page may take for anything."""


HEADER = (
    "all listed s",
    "all loaded s",
    "lost",
    "server MB",
    "command MB",
    "page lists them s",
    "first chart s",
    "a key of a filter s",
    "selected, drawn s",
    "page MB",
    "link with a filter s",
)


class ServerMeasurement(NamedTuple):
    """Values that are measured without a browser."""

    listed: float
    """Seconds from the command's start until it printed its links."""
    loaded: float
    """Seconds from the command's start until all runs had points."""
    lost: int
    """Number of runs without a point of `TAG`."""
    server: float
    """Resident MB of TensorBoard's data server."""
    command: float
    """Resident MB of the command."""


class PageMeasurement(NamedTuple):
    """Values that are measured in the browser: seconds, one after the other, and memory."""

    listed: float
    """Seconds from opening the page until it lists all runs."""
    drawn: float
    """Seconds from then until the first chart has curves; NaN with runs that start unselected."""
    key: float
    """Seconds for each key of a run filter that is typed, until just its runs are listed."""
    selected: float
    """Seconds from selecting these until the first chart has their curves."""
    heap: float
    """MB of JavaScript's heap after that."""
    link: float
    """Seconds from opening a link with that filter until its runs are listed (and drawn)."""


def measure(folder: Path, names: Sequence[str]) -> tuple[ServerMeasurement, PageMeasurement | None]:
    """Serve a tree of runs, and look at it where there is a browser."""
    began = time.perf_counter()
    with browser.board(folder) as board:
        listed = time.perf_counter() - began
        lost = len(names) - len(_loaded(board.url, names))
        loaded = time.perf_counter() - began
        drawn = None if browser.missing() else measure_page(board.url, names)
        command = psutil.Process(board.process.pid)
        [server] = command.children()
        served = ServerMeasurement(listed, loaded, lost, _megabytes(server), _megabytes(command))
    return served, drawn


def measure_page(url: str, names: Sequence[str]) -> PageMeasurement:
    """Open the page, filter its runs, select them, wait for a chart; then do it by a link."""
    found = sum(re.search(FILTER, name) is not None for name in names)
    few = len(names) <= MAX_SELECTED_RUNS
    with browser.browser() as opened:
        page = opened.new_page(viewport={"width": 1500, "height": 1100})
        page.set_default_timeout(1000 * SECONDS)
        marks = [time.perf_counter()]
        _open(page, url, "", len(names))
        marks.append(time.perf_counter())
        if few:
            _wait_for_curves(page)
        marks.append(time.perf_counter())
        browser.filter_runs(page, FILTER)
        browser.wait_for_rows(page, found)
        marks.append(time.perf_counter())
        if not few:
            page.locator("runs-data-table tb-data-table-header-cell mat-checkbox").first.click()
        _wait_for_curves(page)
        marks.append(time.perf_counter())
        heap = page.evaluate("performance.memory.usedJSHeapSize") / 1e6
        page.goto("about:blank")
        began = time.perf_counter()
        _open(page, url, FILTER, found)
        if few:
            _wait_for_curves(page)
        link = time.perf_counter() - began
    listed, drawn, typed, selected = (after - before for before, after in pairwise(marks))
    key = typed / len(FILTER)
    return PageMeasurement(listed, drawn if few else math.nan, key, selected, heap, link)


def _open(page: Any, url: str, runs: str, number: int) -> None:
    """Open the page with a run filter, and wait until it lists `number` runs."""
    query = {"tagFilter": TAGS, **({"runFilter": runs} if runs else {})}
    page.goto(f"{url}?{urlencode(query)}#timeseries")
    browser.wait_for_rows(page, number)


def _wait_for_curves(page: Any) -> None:
    """Wait for the first card's table of values, which comes with its curves."""
    page.locator("scalar-card tb-data-table-content-row").first.wait_for()
    browser.painted(page)


def _loaded(url: str, names: Sequence[str]) -> set[str]:
    """The runs that have points, once all have or no more come."""
    found: set[str] = set()
    while True:
        with urlopen(f"{url}data/plugin/scalars/tags") as answer:
            now = {run for run, tags in json.load(answer).items() if TAG in tags}
        if now == found or now >= set(names):
            break
        found = now
        time.sleep(PAUSE)
    found = now & set(names)
    for name in found & {names[0], names[-1]}:
        query = urlencode({"run": name, "tag": TAG})
        with urlopen(f"{url}data/plugin/scalars/scalars?{query}") as answer:
            assert json.load(answer), f"{name} has no values"
    return found


def _megabytes(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / 1e6


def main() -> None:
    """Print a row for each size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, nargs="+", default=[2000])
    parser.add_argument("--source", type=Path, help="a sweep whose trials are copied")
    tables.add_options(parser)
    given = parser.parse_args()
    page = tables.Page(given.markdown)
    if reason := browser.missing():
        page.say(f"Nothing is measured in a browser, for {reason}.")
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        source = given.source or train_sources(Path(scratch, "trained"))
        trials = sorted(path.parent for path in source.glob("*/trial.json"))
        size = sum(path.stat().st_size for path in source.glob("*/*tfevents*")) / len(trials)
        for runs in given.runs:
            folder = Path(scratch, str(runs))
            served, drawn = measure(folder, copy_runs(trials, folder / "grid", runs))
            rows.append(
                [
                    str(runs),
                    *_cells(served),
                    *(_cells(drawn) if drawn else [""] * len(PageMeasurement._fields)),
                ]
            )
    page.show(
        tables.Table(
            f"Runs of {size / 1e3:.0f} kB of events each",
            ("runs", *HEADER),
            rows,
            "Seconds are from the command's start, and in the page from one step to the next. "
            f"With more than {MAX_SELECTED_RUNS} runs nothing is drawn before some are selected.",
            words=0,
        )
    )


def _cells(measured: ServerMeasurement | PageMeasurement) -> list[str]:
    """Three digits; nothing for what was not measured."""
    digits = (f"{value:.0f}" if value > 100 else f"{value:.3g}" for value in measured)
    return ["" if text == "nan" else text for text in digits]


if __name__ == "__main__":
    main()
