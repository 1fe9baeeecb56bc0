"""Overhead of logging beside training: reports, histograms, text and vectors.

    python -m benchmarks.logging_overhead                               # the shipped options on Lee
    python -m benchmarks.logging_overhead --rounds 11 data=sherlock     # other overrides

The same updates are made with a report of every scalar after every n updates, and in one call
without any; the two take turns, and their ratio's median counts: of wall time, and of CPU time,
which other work on the machine disturbs less. `report() alone` is the writing itself. The second
table has what `log` adds, as often as the shipped options have it; it takes no part in the updates.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import hydra
from omegaconf import OmegaConf
from rich.console import Console
from rich.table import Table

from lm.config import CONFIG_DIR, Config, parse_config, register
from sweeps import hydra_sweeper
from sweeps.cli.exit import exit_on_user_error
from sweeps.tracking import Run

EVERY: tuple[tuple[int, int | None], ...] = ((1, None), (5, None), (20, None), (20, 1))
"""Updates between two reports, of which `train.report_every` ships with 20; and between two points
of the curves, if those are finer (`log.scalars_every`)."""
UPDATES = 60
"""Updates in a round, with and without reports."""
TAGS = (
    "train/loss",
    "train/grad_norm",
    "train/learning_rate",
    "time/epoch",
    "time/words_per_second",
)


class Bench:
    """One model in training, and a run to report to."""

    def __init__(self, config: Config, run: Run) -> None:
        from lm.data.dataset import load_dataset  # after the thread count is set, like JAX
        from lm.training.trainer import Trainer

        self.dataset, self.run = load_dataset(config.data), run
        self.trainer = Trainer(config, self.dataset)
        self.state, _ = self.trainer.compile(self.trainer.start())
        self.metrics = self._evaluate()
        self.step = 0
        self.reported = 0
        """Steps by all rounds; a run takes no report of an earlier step."""

    @property
    def params(self) -> dict[str, Any]:
        """Parameters that the model is evaluated by."""
        from lm.training.state import evaluated_params

        return evaluated_params(self.state)

    def _evaluate(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for split in self.trainer.tokens:
            found |= self.trainer.evaluate(self.params, split)
        return found

    def seconds(self, every: int, points: int | None, report: bool) -> tuple[float, float]:
        """Make a round's updates, `every` in a call, and with a report after each call or not.

        Returns:
          Seconds of wall time, and of CPU time.
        """
        self.trainer.config.train.report_every = every
        self.trainer.config.log.scalars_every = points
        if self.step + UPDATES > self.trainer.steps_per_epoch:
            self.step = 0  # the calls of a round lie within one epoch
        began, busy = time.perf_counter(), time.process_time()
        for _ in range(UPDATES // every):
            self.state, done = self.trainer.advance(self.state, self.step)
            before = self.reported - self.step
            self.step += done.steps
            self.reported += done.steps
            if report:
                points_before = [(before + step, values) for step, values in done.points_before]
                self.run.report_points(points_before)
                self.report(done.metrics)
        return time.perf_counter() - began, time.process_time() - busy

    def report(self, metrics: dict[str, float]) -> None:
        """Report every tag that there is, those of evaluation too."""
        self.run.report(self.reported, {**metrics, **self.metrics}, self.trainer.total_steps)


Shares = dict[tuple[int, int | None], list[tuple[float, float]]]
"""One of `EVERY` -> each round's share of wall time and of CPU time."""


def measure(bench: Bench, rounds: int) -> tuple[float, Shares, float]:
    """Measure milliseconds of an update, the share that reports take, milliseconds of a report."""
    plain: list[float] = []
    shares: Shares = {every: [] for every in EVERY}
    bench.seconds(UPDATES, None, report=False)
    for _ in range(rounds):
        for every in EVERY:
            without = bench.seconds(UPDATES, None, report=False)
            reports = bench.seconds(*every, report=True)
            plain.append(1000 * without[0] / UPDATES)
            shares[every].append((reports[0] / without[0] - 1, reports[1] / without[1] - 1))
    alone = []
    for _ in range(300):
        began = time.perf_counter()
        bench.report(dict.fromkeys(TAGS, 1.0))
        alone.append(1000 * (time.perf_counter() - began))
    return statistics.median(plain), shares, statistics.median(alone)


class Shown(NamedTuple):
    """Cost of one kind of logging."""

    name: str
    every: int
    """Updates between two of them."""
    ms: float
    kilobytes: float
    """Kilobytes on disk, each time."""


def measure_views(bench: Bench, rounds: int) -> list[Shown]:
    """A look inside, and what an evaluation shows besides."""
    from lm.objective import make_callbacks

    callbacks = make_callbacks(bench.trainer, bench.dataset, bench.run)
    log = bench.trainer.config.log

    def look() -> None:
        for callback in callbacks:
            if callback.is_due(-1, bench.step):
                callback.on_report(bench.state, bench.step)

    def show_epoch() -> None:
        for callback in callbacks:
            callback.on_epoch(bench.params, bench.step)

    kinds: dict[str, tuple[int, Callable[[], object]]] = {
        "look inside": (log.histogram_every, look),
        "text and vectors": (bench.trainer.steps_per_epoch, show_epoch),
    }
    found = []
    for name, (every, show) in kinds.items():
        show()
        before, times = _size(bench.run.directory), []
        for _ in range(rounds):
            began = time.perf_counter()
            show()
            times.append(1000 * (time.perf_counter() - began))
        grown = (_size(bench.run.directory) - before) / rounds / 1000
        found.append(Shown(name, every, statistics.median(times), grown))
    return found


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def compose(overrides: Sequence[str]) -> dict[str, Any]:
    """Compose the values of a run."""
    register()
    hydra_sweeper.register()
    with hydra.initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        values = OmegaConf.to_container(
            hydra.compose("config", overrides=list(overrides)), resolve=True
        )
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items()}


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1, help="of XLA; a trial in a sweep has one")
    parser.add_argument("overrides", nargs="*")
    given = parser.parse_args()
    os.environ["NPROC"] = str(given.threads)
    config = parse_config(compose(given.overrides))
    with (
        tempfile.TemporaryDirectory() as folder,
        Run(Path(folder), metric="valid/perplexity", mode="min") as run,
    ):
        bench = Bench(config, run)
        step, shares, alone = measure(bench, given.rounds)
        views = measure_views(bench, given.rounds)
    table = Table(title=f"an update takes {step:.2f} ms, report() alone {alone:.3f} ms")
    for name in ("a report every", "points every", "of wall time", "of CPU time", "report() alone"):
        table.add_column(name, justify="right")
    for (every, points), found in shares.items():
        shown = [f"{statistics.median(column):+.1%}" for column in zip(*found, strict=True)]
        table.add_row(f"{every}", f"{points or every}", *shown, f"{alone / step / every:.2%}")
    tags = len(TAGS) + len(bench.metrics)
    table.caption = f"{tags} scalars a report, {given.rounds} rounds of {UPDATES} updates"
    Console().print(table)
    table = Table("shown", "every", "ms", "of wall time", "KB each time")
    for name, every, ms, kilobytes in views:
        share = f"{ms / step / every:.2%}" if every else ""
        table.add_row(name, f"{every}", f"{ms:.1f}", share, f"{kilobytes:.1f}")
    Console().print(table)


if __name__ == "__main__":
    with exit_on_user_error():
        main()
