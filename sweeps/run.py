"""One trial while it is being trained: its metrics, its status, its result.

    with Run(directory, metric="valid/perplexity", mode="min") as run:
        objective(config, run)

Single runs and the workers of a sweep use it alike. On the way out the trial's status is written:

| the objective          | status      | the exception                               |
|------------------------|-------------|---------------------------------------------|
| returns                | finished    |                                             |
| raises Diverged        | diverged    | ends here: divergence is a result           |
| is stopped by Ray      | stopped     | goes on: SystemExit(0) must end Ray's thread |
| is interrupted, Ctrl-C | interrupted | goes on: the command exits with 130         |
| raises anything else   | failed      | goes on; its traceback is in error.txt      |

A process that is killed leaves the status `running`.
"""

import math
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sweeps.errors import UserError
from sweeps.files import read_json, write_json, write_text
from sweeps.writer import EventWriter, MetricsTable

RESULT_SECONDS = 5.0
"""Time between two updates of a running trial's result.json."""

OnReport = Callable[[int, Mapping[str, float], int | None], None]


class Diverged(Exception):  # noqa: N818 (a result, not an error)
    """The loss stopped being a finite number."""

    def __init__(self, step: int) -> None:
        super().__init__(f"the loss is not finite at step {step}")
        self.step = step


class Run:
    """A trial's folder from the objective's side.

    `result.json` holds status, step, total_steps, seconds (spent on the history that is kept,
    resumes included), metrics (the last value of each tag), best (of the ranking metric, with its
    step; NaN never wins) and error (one line). It is brought up to date every five seconds;
    events and table rows are with the operating system when `report` returns.
    """

    def __init__(
        self, directory: Path, *, metric: str, mode: str, on_report: OnReport | None = None
    ) -> None:
        """Describe a run; nothing is touched before it is entered.

        Args:
          directory: the trial's folder; it exists.
          metric: tag whose best value is kept.
          mode: `min` or `max`.
          on_report: called after each report with step, metrics and total_steps.
        """
        if mode not in ("min", "max"):
            raise UserError(f"sweep.mode={mode} is not known; choose min or max.")
        self.directory = directory
        self.metric = metric
        self._sign = 1.0 if mode == "min" else -1.0
        self._on_report = on_report
        self._events: EventWriter | None = None
        self._table: MetricsTable | None = None
        self._result: dict[str, Any] = {}

    def __enter__(self) -> Self:
        (self.directory / "error.txt").unlink(missing_ok=True)
        earlier = read_json(self.directory / "result.json") or {}
        self._seconds_before = float(earlier.get("seconds") or 0)
        self._entered = time.monotonic()
        self._result = {key: earlier.get(key, empty) for key, empty in _empty().items()}
        self._result["error"] = None
        self._write_result("running")
        return self

    def report(
        self, step: int, metrics: Mapping[str, float], total_steps: int | None = None
    ) -> None:
        """Record metrics, by TensorBoard tag, at an update step.

        The first report of a run that was not resumed starts a new history.

        Raises:
          UserError: the disk is full, or the folder cannot be written any more.
        """
        if self._events is None or self._table is None:
            self._seconds_before = 0.0
            self.resume_at(-1)
        assert self._events
        assert self._table
        now, values = time.time(), {tag: float(value) for tag, value in metrics.items()}
        self._events.write(step, now, values)
        self._table.write(step, now, values)
        self._keep(step, values)
        self._result["total_steps"] = total_steps
        if time.monotonic() - self._written >= RESULT_SECONDS:
            self._write_result("running")
        if self._on_report:
            self._on_report(step, values, total_steps)

    def resume_at(self, step: int) -> None:
        """Forget every row and event after this step: a checkpoint of it was restored."""
        self._close()
        self._events = EventWriter(self.directory, start=step + 1)
        self._table = MetricsTable(self.directory / "metrics.csv", keep_until=step)
        self._result = _empty()
        for row in self._table.kept:
            values = {tag: row[tag] for tag in row if tag not in ("step", "wall_time")}
            self._keep(int(row["step"]), values)

    def record(self, **facts: Any) -> None:
        """Add facts that only the running program knows, such as its device, to the provenance."""
        path = self.directory / "provenance.json"
        write_json(path, {**(read_json(path) or {}), **facts})

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        status = _status(error)
        if error is not None and status != "stopped":
            self._result["error"] = _one_line(error)
        if status == "failed" and error is not None:
            write_text(self.directory / "error.txt", "".join(traceback.format_exception(error)))
        if isinstance(error, Diverged):
            self._result["step"] = error.step
        try:
            self._close()
        finally:
            self._write_result(status)
        return isinstance(error, Diverged)

    def _keep(self, step: int, values: Mapping[str, float]) -> None:
        self._result["step"] = step
        self._result["metrics"].update(values)
        value, best = values.get(self.metric, math.nan), self._result["best"]
        if math.isnan(value):
            return
        if best is None or self._sign * value < self._sign * best["value"]:
            self._result["best"] = {"metric": self.metric, "value": value, "step": step}

    def _close(self) -> None:
        for file in (self._events, self._table):
            if file is not None:
                file.close()

    def _write_result(self, status: str) -> None:
        seconds = self._seconds_before + time.monotonic() - self._entered
        result = {"status": status, "seconds": round(seconds, 3), **self._result}
        write_json(self.directory / "result.json", result)
        self._written = time.monotonic()


def _empty() -> dict[str, Any]:
    return {"step": 0, "total_steps": None, "metrics": {}, "best": None, "error": None}


def _status(error: BaseException | None) -> str:
    if error is None:
        return "finished"
    if isinstance(error, Diverged):
        return "diverged"
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, SystemExit) and error.code in (0, None):
        return "stopped"
    return "failed"


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, UserError | Diverged):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
