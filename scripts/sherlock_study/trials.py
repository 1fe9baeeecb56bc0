"""Finished trials of a sweep, as tables and pictures read them."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sweeps.store import read_config, read_metrics, read_sweep

Row = Mapping[str, float]
"""Values of a report by tag, with `step` and `wall_time`."""


class StudyTrial(NamedTuple):
    """A trial and all that it reported."""

    settings: Mapping[str, str]
    """Axis, in full -> label."""
    status: str
    directory: Path
    config: Mapping[str, Any]
    rows: Sequence[Row]

    def setting(self, axis: str) -> str:
        """The label of the axis whose last word is this; empty where there is none."""
        short = {key.rpartition(".")[2].lstrip("+"): label for key, label in self.settings.items()}
        return short.get(axis, "")

    @property
    def ends(self) -> list[Row]:
        """The last report of each epoch."""
        return [row for row in self.rows if "valid/loss" in row]

    def end(self, epoch: int) -> Row | None:
        """The last report of an epoch, from 1."""
        return self.ends[epoch - 1] if epoch <= len(self.ends) else None

    def series(self, tag: str) -> tuple[list[float], list[float]]:
        """Epochs and values of a tag."""
        found = [(row["time/epoch"], row[tag]) for row in self.rows if tag in row]
        return [epoch for epoch, _ in found], [value for _, value in found]

    def values(self, tag: str) -> list[float]:
        """All values of a tag."""
        return self.series(tag)[1]

    @property
    def _words(self) -> int:
        """Words that an update reads."""
        return int(self.config["train"]["batch_size"] * self.config["train"]["sequence_length"])

    @property
    def update_ms(self) -> float:
        """Milliseconds of an update, the median over the reports."""
        return 1000 * self._words / statistics.median(self.values("time/words_per_second"))

    def seconds(self) -> Iterator[tuple[float, Row]]:
        """Seconds of training, without evaluation and histograms, and each report."""
        spent, before = 0.0, 0.0
        for row in self.rows:
            spent += (row["step"] - before) * self._words / row["time/words_per_second"]
            before = row["step"]
            yield spent, row


def read(root: Path, sweep: str) -> list[StudyTrial]:
    """Read the trials of a sweep that have reported; none where it has not been run."""
    if not (root / sweep / "sweep.json").exists():
        return []
    found = [
        StudyTrial(
            settings=trial.settings,
            status=trial.status,
            directory=trial.directory,
            config=read_config(trial.directory),
            rows=read_metrics(trial.directory / "metrics.csv"),
        )
        for trial in read_sweep(root / sweep).trials
    ]
    return [trial for trial in found if trial.rows]


def pick(trials: Sequence[StudyTrial], **settings: str) -> StudyTrial | None:
    """Pick the longest trial with these settings; an axis is named by its last word."""
    found = (
        trial
        for trial in trials
        if all(trial.setting(axis) == label for axis, label in settings.items())
    )
    return max(found, key=lambda trial: len(trial.ends), default=None)
