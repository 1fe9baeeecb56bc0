"""The page of `--html` with many trials: its size, and how long it takes in a browser.

    python -m benchmarks.report_page                       # 1, 8, 200 and 10,000 trials
    python -m benchmarks.report_page --trials 200 --pictures DIR

The trials are made up: a random search over six options, one of them with names of 95 letters, in
which some diverge and some fail. A headless browser opens the page, filters it, and points at a
curve.
"""

import argparse
import csv
import math
import random
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from benchmarks.harness import tables
from benchmarks.tensorboard import browser
from sweeps.analysis.comparison import Comparison
from sweeps.analysis.importance import axis_importance
from sweeps.analysis.ranking import ScoredTrial, rank
from sweeps.naming import trial_name
from sweeps.report import write_report
from sweeps.store import Sweep, Trial, TrialStatus

TRIALS = (1, 8, 200, 10_000)
ROUNDS = 5
STEPS = range(100, 2100, 100)
WIDTHS = (390, 1280, 1920)
HEADER = ("trials", "MB", "written s", "load s", "filter ms", "pointing ms")
# From the last key to the last figure; the page waits 150 ms for further keys.
FILTER = """async text => {
  const field = document.getElementById('filter'), told = document.getElementById('matches');
  const start = performance.now(), before = told.textContent;
  field.value = text;
  field.dispatchEvent(new Event('input'));
  while (told.textContent === before) await new Promise(done => setTimeout(done, 1));
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  return performance.now() - start;
}"""
POINT = """async share => {
  const figure = document.getElementById('curves'), box = figure.getBoundingClientRect();
  const start = performance.now();
  figure.dispatchEvent(new PointerEvent('pointermove', {
    clientX: box.left + box.width * share, clientY: box.top + box.height * share, bubbles: true }));
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  return performance.now() - start;
}"""


class PageMeasurement(NamedTuple):
    """Measured values, in the order of `HEADER` after the first."""

    size: float
    """MB of the file."""
    written: float
    """Seconds from the ranked trials to the file."""
    load: float
    """Seconds from opening the file until all figures are drawn; median."""
    filter: float
    """Milliseconds from the last key of a filter until all figures are drawn; median."""
    pointing: float
    """Milliseconds from a move of the pointer until the curve is lit in all figures; median."""


def settings(number: int) -> dict[str, str]:
    """Options of a made-up trial: two of a wide range, four with few values."""
    draw = random.Random(number)
    corpus = "a_corpus_with_a_name_that_is_as_long_as_paths_of_real_texts_often_are"
    return {
        "optimizer.learning_rate": f"{10 ** draw.uniform(-3, 0):.4g}",
        "model.dropout": f"{draw.uniform(0, 0.6):.3f}",
        "model.cell": draw.choice(["rnn", "gru", "lstm"]),
        "model.hidden_size": draw.choice(["64", "128", "256", "512"]),
        "data.files": f"{corpus}_part_{draw.choice('ab')}_train.txt-{'0123456789abcdef':.8}",
        "seed": str(number % 3),
    }


def loss(chosen: Mapping[str, str], step: int, number: int) -> float:
    """A made-up loss, which diverges at high rates."""
    rate = float(chosen["optimizer.learning_rate"])
    away = (math.log10(rate) + 1) ** 2 + float(chosen["model.dropout"])
    noise = random.Random(number * 7919 + step).gauss(0, 0.02)
    cell = {"rnn": 0.4, "gru": 0.1, "lstm": 0.0}[chosen["model.cell"]]
    if rate > 0.5 and step > 600:
        return math.nan
    return 4.6 + cell + 0.4 * away + 3 / (1 + step / 300) + noise


def make_comparison(folder: Path, trials: int) -> Comparison:
    """Made-up trials, with their metrics on disk below a folder."""
    scored = [make_trial(folder, number) for number in range(trials)]
    axes = tuple(settings(0))
    sweep = Sweep(folder=folder, axes=axes, metric="valid/loss", replicate="seed")
    return Comparison(
        sweeps=(sweep,),
        names=(folder.name,),
        axes=axes,
        replicate="seed" if trials > 2 else None,
        metric="valid/loss",
        mode="min",
        trials=tuple(rank(scored, "min")),
    )


def make_trial(folder: Path, number: int) -> ScoredTrial:
    """Write a trial's metrics, and return it."""
    chosen = settings(number)
    values = {step: loss(chosen, step, number) for step in STEPS}
    status = TrialStatus.FINISHED
    if any(map(math.isnan, values.values())):
        status = TrialStatus.DIVERGED
    elif number % 41 == 40:
        status, values = TrialStatus.FAILED, {}
    short = {key.rpartition(".")[2]: label for key, label in chosen.items()}
    directory = folder / trial_name(short, f"{number:06x}" * 4)[:250]
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "metrics.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["step", "wall_time", "valid/loss", "train/loss"])
        for step, value in values.items():
            writer.writerow([step, 1.7e9 + number * 20 + step / 100, value, value - 0.2])
    finite = {step: value for step, value in values.items() if math.isfinite(value)}
    best = min(finite, key=finite.__getitem__, default=None)
    trial = Trial(
        directory=directory,
        fingerprint=f"{number:06x}",
        status=status,
        settings=chosen,
        train_command="python train.py " + " ".join(f"{k}={v}" for k, v in chosen.items()),
        step=STEPS[-1],
        total_steps=STEPS[-1],
        seconds=20.0,
        metrics={"valid/loss": values[STEPS[-1]]} if values else {},
        error="RuntimeError: out of memory" if status == TrialStatus.FAILED else None,
    )
    return ScoredTrial(
        trial, finite.get(best) if best else None, best, chosen, directory.name, folder.name
    )


def measure(trials: int, rounds: int, pictures: Path | None) -> PageMeasurement:
    """Write a page of so many trials, and use it."""
    with tempfile.TemporaryDirectory() as scratch, browser.browser() as opened:
        folder = Path(scratch) / f"random_search_{trials}"
        folder.mkdir()
        comparison = make_comparison(folder, trials)
        shares = axis_importance(comparison.trials, comparison.axes)
        file = folder / "report.html"
        start = time.perf_counter()
        write_report(file, comparison, shares)
        written = time.perf_counter() - start
        loads, filters, moves = [], [], []
        for place in range(rounds):
            page = opened.new_page(viewport={"width": 1280, "height": 900})
            errors: list[Any] = []
            page.on("pageerror", lambda error, told=errors: told.append(error))
            start = time.perf_counter()
            page.goto(file.as_uri())
            browser.painted(page)
            loads.append(time.perf_counter() - start)
            filters.append(page.evaluate(FILTER, "cell=lstm" if trials > 1 else "no such run"))
            moves.append(page.evaluate(POINT, 0.4 + 0.05 * place))
            page.close()
            if errors:
                raise RuntimeError(f"the page failed: {errors[0]}")
        if pictures is not None:
            take_pictures(opened, file, pictures, trials)
        size = file.stat().st_size / 1e6
    return PageMeasurement(size, written, median(loads), median(filters), median(moves))


def take_pictures(opened: Any, file: Path, folder: Path, trials: int) -> None:
    """The whole page at three widths, light and dark."""
    folder.mkdir(parents=True, exist_ok=True)
    for width in WIDTHS:
        for scheme in ("light", "dark"):
            page = opened.new_page(
                viewport={"width": width, "height": 900}, color_scheme=scheme, device_scale_factor=1
            )
            page.goto(file.as_uri())
            browser.painted(page)
            page.screenshot(path=folder / f"{trials}_{width}_{scheme}.png", full_page=True)
            page.close()


def main() -> None:
    """Measure pages, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--trials", type=int, nargs="+", default=TRIALS)
    add("--rounds", type=int, default=ROUNDS, help="openings of each page (default: %(default)s)")
    add("--pictures", type=Path, metavar="DIR", help="keep screenshots, light and dark")
    tables.add_options(parser)
    given = parser.parse_args()
    if reason := browser.missing():
        raise SystemExit(reason)
    page = tables.Page(given.markdown)
    rows = []
    for trials in given.trials:
        one = measure(trials, given.rounds, given.pictures)
        cells = (
            f"{one.size:.2f} {one.written:.2f} {one.load:.2f} {one.filter:.0f} {one.pointing:.0f}"
        )
        rows.append([str(trials), *cells.split()])
    page.show(tables.Table("The page of --html", HEADER, rows, "", words=0))


if __name__ == "__main__":
    main()
