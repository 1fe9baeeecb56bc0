"""What one trial has reported and shown: its event file, its table, and what follows from both."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sweeps.store.metrics import MetricsTable
from sweeps.store.result import best_after, empty, fold, values_of
from sweeps.tensorboard.event_file import PATTERN, EventWriter, rewrite, sound_until
from sweeps.tensorboard.hparams import described, ended, forget
from sweeps.tensorboard.values import View


class History:
    """A trial's history from a step on; everything is with the operating system at once."""

    result: dict[str, Any]
    """What `result.json` says of the reports: last step, last metrics, best of the metric."""

    def __init__(self, directory: Path, metric: str, mode: str, keep_until: int) -> None:
        """Go on with what a folder holds, but for what came after step `keep_until`.

        Points that a crash or another history took from before it come back from `metrics.csv`.
        """
        self._metric, self._mode = metric, mode
        self._table = MetricsTable(directory / "metrics.csv", keep_until)
        sound = min(keep_until, sound_until(directory))
        description = described(directory)
        forget(directory)
        self._events = EventWriter(directory, start=sound + 1)
        self._put(description)
        self.result = empty()
        for row in self._table.kept:
            step, values = int(row["step"]), values_of(row)
            if step > sound:
                self._events.write(step, row["wall_time"], self._with_best(step, values))
            fold(self.result, step, values, metric, mode)

    def report(self, step: int, wall_time: float, values: Mapping[str, float]) -> None:
        """Record metrics, by tag."""
        self._events.write(step, wall_time, self._with_best(step, values))
        self._table.write(step, wall_time, values)
        fold(self.result, step, values, self._metric, self._mode)

    def _with_best(self, step: int, values: Mapping[str, float]) -> Mapping[str, float]:
        """With the best so far, for TensorBoard's table of hyperparameters knows last values only.

        It is no metric of its own: `metrics.csv` holds what it follows from.
        """
        best = best_after(self.result["best"], step, values, self._metric, self._mode)
        if self._metric not in values or best is None:
            return values
        return {**values, f"best/{self._metric}": best["value"]}

    def show(self, step: int, views: Mapping[str, View]) -> None:
        """Record views, by tag."""
        self._events.show(step, views)

    def show_graph(self, graph: bytes) -> None:
        """Record the program's graph, a serialised GraphDef, in place of an earlier process's."""
        for path in self._events.path.parent.glob(PATTERN):
            if path != self._events.path:
                rewrite(path, keep=lambda value: True, graphs=False)
        self._events.graph(graph)

    def end(self, status: str) -> None:
        """Tell how the trial ended."""
        self._put(ended(status))

    def _put(self, values: Sequence[Any]) -> None:
        if values:
            self._events.put(values)

    def close(self) -> None:
        """Close the files; there is nothing left to write."""
        self._events.close()
        self._table.close()
