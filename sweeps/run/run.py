"""One trial while it is being trained: its metrics, its status, its result.

    with Run(directory, metric="valid/perplexity", mode="min") as run:
        objective(config, run)

Single runs and the workers of a sweep use it alike. On the way out the trial's status is written:

| the objective                  | status      | the exception                                |
|--------------------------------|-------------|----------------------------------------------|
| returns                        | finished    |                                              |
| returns since `stop_wanted`    | as wanted   |                                              |
| raises Diverged                | diverged    | ends here: divergence is a result            |
| is stopped by Ray              | stopped     | goes on: SystemExit(0) must end Ray's thread |
| is interrupted, Ctrl-C         | interrupted | goes on: the command exits with 130          |
| raises anything else           | failed      | goes on; its traceback is in error.txt       |

A process that is killed leaves the status `running`. An objective keeps what it needs to go on
later in the folder `run.checkpoints`, and says `run.saved()` when that is complete. Of trials that
train together each ends by itself: `run.close()`, or `run.close(Diverged(step))`.
"""

import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sweeps.errors import UserError, one_line
from sweeps.io.atomic import read_json, write_json, write_text
from sweeps.io.lock import locked
from sweeps.run.history import History
from sweeps.store.result import empty
from sweeps.store.status import Diverged, Stop, status_of
from sweeps.tensorboard.hparams import describe
from sweeps.tensorboard.values import Embedding, View

__all__ = ["Diverged", "OnReport", "Run", "Stop"]

RESULT_SECONDS = 5.0
"""Time between two updates of a running trial's result.json."""

OnReport = Callable[[int, Mapping[str, float], int | None], None]


class Run:
    """A trial's folder from the objective's side; one process at a time has it.

    `result.json` holds status, stopped_by (a rule's name), step, total_steps, seconds (spent on the
    history that is kept, resumes included), metrics (the last value of each tag), best (of the
    ranking metric, with its step; NaN never wins) and error (one line). It is brought up to date
    every five seconds; what `report` and `show` were given is with the operating system when they
    return.
    """

    def __init__(
        self,
        directory: Path,
        *,
        metric: str,
        mode: str,
        on_report: OnReport | None = None,
        on_saved: Callable[[], None] = lambda: None,
        wanted: Callable[[float], Stop | None] = lambda seconds: None,
        patience: float = 0.0,
    ) -> None:
        """Describe a run; nothing is touched before it is entered.

        Args:
          directory: the trial's folder; it exists.
          metric: tag whose best value is kept.
          mode: `min` or `max`.
          on_report: called after each report with step, metrics and total_steps; where the metric
            is in it, once its checkpoint is complete: who acts on it can go on from there.
          on_saved: called when a checkpoint is complete.
          wanted: seconds that the trial has used -> whether it should stop now.
          patience: seconds to wait for another process that still has the folder.
        """
        if mode not in ("min", "max"):
            raise UserError(f"sweep.mode={mode} is not known; choose min or max.")
        self.directory = directory
        self.metric = metric
        self.mode = mode
        self._on_report = on_report
        self._on_saved = on_saved
        self._unsent: tuple[int, Mapping[str, float], int | None] | None = None
        self._wanted = wanted
        self._patience = patience
        self._stop: Stop | None = None
        self._held = ExitStack()
        self._closed = False
        self._history: History | None = None
        self._graph: bytes | None = None
        self._result: dict[str, Any] = {}

    @property
    def checkpoints(self) -> Path:
        """Folder for all that the objective needs to go on later."""
        return self.directory / "checkpoints"

    @property
    def seconds(self) -> float:
        """Spent on the history that is kept, resumes included."""
        return self._seconds_before + time.monotonic() - self._entered

    @property
    def stop_wanted(self) -> bool:
        """Whether the objective should save what it needs to go on later, and return."""
        return self._stop is not None

    def stop(self, wish: Stop) -> None:
        """Have the objective told so by `stop_wanted`; the first wish counts."""
        self._stop = self._stop or wish

    @property
    def closed(self) -> bool:
        """Whether the final status is written; nothing is reported any more."""
        return self._closed

    def __enter__(self) -> Self:
        held = f"{self.directory} is being trained by another process; wait for it, or stop it."
        self._held.enter_context(locked(self.directory / ".lock", held, self._patience))
        (self.directory / "error.txt").unlink(missing_ok=True)
        earlier = read_json(self.directory / "result.json") or {}
        self._seconds_before = float(earlier.get("seconds") or 0)
        self._entered = time.monotonic()
        self._result = {key: earlier.get(key, unset) for key, unset in empty().items()}
        self._result |= {"error": None, "stopped_by": None}
        self._write_result("running")
        return self

    def report(
        self, step: int, metrics: Mapping[str, float], total_steps: int | None = None
    ) -> None:
        """Record metrics, by tag, at an update step; the first ever starts a new history.

        Raises:
          UserError: the disk is full, or the folder cannot be written any more.
        """
        values = {tag: float(value) for tag, value in metrics.items()}
        self._begun().report(step, time.time(), values)
        self._result["total_steps"] = total_steps
        if time.monotonic() - self._written >= RESULT_SECONDS:
            self._write_result("running")
        self._send()
        self._unsent = (step, values, total_steps)
        if self.metric not in values:
            self._send()
        self._stop = self._stop or self._wanted(self.seconds)

    def points(self, points: Iterable[tuple[int, Mapping[str, float]]]) -> None:
        """Record metrics at steps before the report that follows; nobody is told of them."""
        for step, values in points:
            self._begun().report(step, time.time(), values)

    def show(self, step: int, views: Mapping[str, View]) -> None:
        """Show views, by tag, at an update step; otherwise as `report`."""
        self._begun().show(step, views)

    def show_graph(self, graph: bytes) -> None:
        """Show the program's graph, a serialised GraphDef; it starts no history."""
        self._graph = graph
        if self._history:
            self._history.show_graph(graph)

    def show_embeddings(self, embeddings: Mapping[str, Embedding]) -> None:
        """Show points in the projector, by name, in place of those shown before."""
        from sweeps.tensorboard.projector import write_embeddings

        write_embeddings(self.directory, embeddings)

    def saved(self) -> None:
        """Say that `checkpoints` holds all there is to go on from the latest report."""
        self._on_saved()
        self._send()

    def _send(self) -> None:
        unsent, self._unsent = self._unsent, None
        if unsent and self._on_report:
            self._on_report(*unsent)

    def resume_at(self, step: int) -> None:
        """Forget every report and view after this step: a checkpoint of it was restored."""
        self._close_files()
        self._history = History(self.directory, self.metric, self.mode, keep_until=step)
        self._result = self._history.result
        if self._graph is not None:
            self._history.show_graph(self._graph)

    def _begun(self) -> History:
        if self._history is None:
            self._seconds_before = 0.0
            self.resume_at(-1)
        assert self._history
        return self._history

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
        open_until_now = not self._closed
        self.close(error)
        return open_until_now and isinstance(error, Diverged)

    def close(self, error: BaseException | None = None) -> None:
        """End the run as leaving its block with this error would; leaving it then does nothing."""
        if self._closed:
            return
        self._closed = True
        status, ended = status_of(error), self._result["step"] == self._result["total_steps"]
        if error is not None and status != "stopped":
            self._result["error"] = one_line(error, (UserError, Diverged))
        if error is None and self._stop and not ended:
            status = self._stop.status
            self._result |= {"stopped_by": self._stop.by, "error": self._stop.reason or None}
        if status == "failed" and error is not None:
            write_text(self.directory / "error.txt", "".join(traceback.format_exception(error)))
        if isinstance(error, Diverged):
            self._result["step"] = error.step
        with self._held:
            with suppress(UserError, OSError):  # a full disk does not decide how it ended
                self._tell_end(status)
            self._close_files()
            self._write_result(status)
            if error is None or isinstance(error, Diverged):
                self._send()

    def _tell_end(self, status: str) -> None:
        if self._history:
            self._history.end(status)
        else:  # it ended before its first report
            describe(self.directory, status)

    def _close_files(self) -> None:
        if self._history:
            self._history.close()

    def _write_result(self, status: str) -> None:
        result = {"status": status, "seconds": round(self.seconds, 3), **self._result}
        write_json(self.directory / "result.json", result)
        self._written = time.monotonic()
