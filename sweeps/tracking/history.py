"""A trial's reports, written to its event file and `metrics.csv` and summed up for its result."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sweeps.store import TrialStatus
from sweeps.store.metrics import METRICS_FILE, MetricsTable, looks_whole
from sweeps.store.result import empty_result, metrics_of, update_result, updated_best
from sweeps.tensorboard.custom_scalars import layout_values
from sweeps.tensorboard.event_file import EVENT_FILES, EventWriter, last_intact_step, remove_values
from sweeps.tensorboard.hparams import end_values, remove_hparams, start_values
from sweeps.tensorboard.recovery import restore_metrics
from sweeps.tensorboard.values import Summary


class History:
    """Writes a trial's reports, each handed to the operating system at once."""

    result: dict[str, Any]
    """Fields of `result.json` that follow from the reports (see `sweeps.store.result`)."""
    values: list[tuple[int, float]]
    """Step and value of each report of the ranking metric."""

    def __init__(
        self, directory: Path, metric: str, mode: str, keep_until: int, charts: bytes = b""
    ) -> None:
        """Continue the history in a folder, without what came after step `keep_until`.

        Earlier points that the event file has lost, by a crash or to another trial's history, are
        written again from `metrics.csv`, and those that `metrics.csv` has lost from the event file.

        Args:
          directory: the trial's folder.
          metric: tag whose best value is kept.
          mode: `min` or `max`.
          keep_until: last step that is kept; -1 starts anew.
          charts: what `charts_layout` gives; empty: none.
        """
        self._metric, self._mode = metric, mode
        if keep_until >= 0 and not looks_whole(directory / METRICS_FILE, keep_until):
            restore_metrics(directory)
        self._table = MetricsTable(directory / METRICS_FILE, keep_until)
        sound = min(keep_until, last_intact_step(directory))
        description = start_values(directory)
        remove_hparams(directory)
        self._events = EventWriter(directory, start=sound + 1)
        self._put([*description, *layout_values(charts)])
        self.result = empty_result()
        self.values = []
        for row in self._table.kept:
            step, values = int(row["step"]), metrics_of(row)
            if step > sound:
                self._events.write_scalars(step, row["wall_time"], self._with_best(step, values))
            self._count(step, values)

    def report(self, step: int, wall_time: float, values: Mapping[str, float]) -> None:
        """Record metrics, by tag."""
        self._events.write_scalars(step, wall_time, self._with_best(step, values))
        self._table.write(step, wall_time, values)
        self._count(step, values)

    def _count(self, step: int, values: Mapping[str, float]) -> None:
        update_result(self.result, step, values, self._metric, self._mode)
        if self._metric in values:
            self.values.append((step, values[self._metric]))

    def _with_best(self, step: int, values: Mapping[str, float]) -> Mapping[str, float]:
        """Add the best value so far, since TensorBoard's HParams table shows last values only.

        `metrics.csv` does not hold it: it follows from the metric's own column.
        """
        best = updated_best(self.result["best"], step, values, self._metric, self._mode)
        if self._metric not in values or best is None:
            return values
        return {**values, f"best/{self._metric}": best.value}

    def log_summaries(self, step: int, summaries: Mapping[str, Summary]) -> None:
        """Record TensorBoard summaries, by tag."""
        self._events.write_summaries(step, summaries)

    def log_graph(self, graph: bytes) -> None:
        """Record the model's graph, a serialised GraphDef, in place of an earlier process's."""
        for path in self._events.path.parent.glob(EVENT_FILES):
            if path != self._events.path:
                remove_values(path, keep=lambda value: True, graphs=False)
        self._events.write_graph(graph)

    def end(self, status: TrialStatus) -> None:
        """Record in the event file how the trial ended."""
        self._put(end_values(status))

    def _put(self, values: Sequence[Any]) -> None:
        if values:
            self._events.write_values(values)

    def close(self) -> None:
        """Close the files."""
        self._events.close()
        self._table.close()
