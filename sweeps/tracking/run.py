"""One trial while it is being trained: its metrics, its status, its result.

    with Run(directory, metric="valid/perplexity", mode="min") as run:
        objective(config, run)

Single runs and the workers of a sweep use a `Run` alike. Leaving the block writes the status:

| the objective                    | status          | the exception                            |
|----------------------------------|-----------------|------------------------------------------|
| returns                          | finished        |                                          |
| returns because of `should_stop` | that of the stop|                                          |
| raises Stopped, from `save`      | that of the stop| is caught                                |
| raises Diverged                  | diverged        | is caught: divergence is a result        |
| is stopped by Ray, SystemExit(0) | stopped         | is raised again: it ends Ray's thread    |
| is interrupted, Ctrl-C           | interrupted     | is raised again: the command exits (130) |
| raises anything else             | failed          | is raised again; traceback in error.txt  |

A process that is killed leaves the status `running`.

An objective that can go on after an interruption saves what it needs, in one of two ways:

- `run.save(state)` keeps a small state; `run.start` and `run.restore()` give it back. The objective
  need not look at `should_stop`: where the trial is to stop, it ends in its next `save`.
- Large states are files in the folder `run.checkpoints`; `run.checkpoint_saved()` says that they
  are complete, `run.resume_at(step)` that one of them was read.

Each trial of a pack ends by itself, with `run.close()` or `run.close(Diverged(step))`.
"""

import operator
import shutil
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sweeps.errors import UserError, one_line_error
from sweeps.io.atomic import write_text
from sweeps.io.lock import locked
from sweeps.store import TrialStatus
from sweeps.store.provenance import DELETED, SAVED, add_provenance
from sweeps.store.result import BestValue, empty_result, read_result, write_result
from sweeps.store.status import PATIENCE, Diverged, Stop, status_after
from sweeps.store.trial import LOCK_FILE
from sweeps.tensorboard.hparams import rewrite_hparams
from sweeps.tensorboard.values import Embedding, Summary
from sweeps.tracking.history import History
from sweeps.tracking.state import (
    SavedState,
    forget_best_state,
    keep_best_state,
    read_state,
    write_state,
)

__all__ = ["Diverged", "OnReport", "Run", "Stop", "Stopped"]

RESULT_SECONDS = 5.0
"""Time between two updates of a running trial's result.json."""

OnReport = Callable[[int, Mapping[str, float], int | None], None]
"""Takes step, metrics by tag, and total_steps of a report."""


class Stopped(BaseException):
    """Ends an objective that was asked to stop and does not look at `Run.should_stop`.

    Leaving the block of a `Run` catches it. No `except Exception` of a program does.
    """


class Run:
    """A trial's folder from the objective's side. One process at a time holds it.

    `report` and `log_summaries` have handed their data to the operating system when they return.
    `result.json` is updated every five seconds and at the end; `sweeps.store.result` describes it.
    """

    def __init__(
        self,
        directory: Path,
        *,
        metric: str,
        mode: str,
        on_report: OnReport | None = None,
        on_checkpoint: Callable[[], None] = lambda: None,
        on_resume: Callable[[int], None] = lambda step: None,
        on_phase: Callable[[str], None] = lambda text: None,
        stop_signal: Callable[[float], Stop | None] = lambda seconds: None,
        lock_timeout: float = 0.0,
        keep_checkpoints: str = "best",
        charts: bytes = b"",
    ) -> None:
        """Describe a run. Nothing is written before it is entered.

        Args:
          directory: the trial's folder; it exists.
          metric: tag whose best value is kept.
          mode: `min` or `max`.
          on_report: called after each report. A report that holds the metric is passed on once its
            checkpoint is complete, so that another trial can continue from there.
          on_checkpoint: called when a checkpoint is complete.
          on_resume: called with the step of a checkpoint from which the objective continues.
          on_phase: called with what the objective does before its first report, and with an empty
            text at that report or at the end.
          stop_signal: seconds that the trial has used -> how it should stop now, or None.
          lock_timeout: seconds to wait for another process that still holds the folder.
          keep_checkpoints: what a finished run keeps, as the option `sweep.keep_checkpoints` says.
          charts: what `sweeps.tensorboard.custom_scalars.charts_layout` gives; empty: no charts.

        Raises:
          UserError: the mode is not known.
        """
        if mode not in ("min", "max"):
            raise UserError(f"sweep.mode={mode} is not known; choose min or max.")
        self.directory = directory
        self.metric = metric
        self.mode = mode
        self._on_report = on_report
        self._on_checkpoint = on_checkpoint
        self._on_resume = on_resume
        self._on_phase = on_phase
        self._phase = ""
        self._pending_report: tuple[int, Mapping[str, float], int | None] | None = None
        self._stop_signal = stop_signal
        self._lock_timeout = lock_timeout
        self._keep_checkpoints = keep_checkpoints
        self._charts = charts
        self._stop: Stop | None = None
        self._stops_itself = False
        """Whether the objective looks at `should_stop`, or saves states."""
        self._has_saved = False
        self._saved: SavedState | None = None
        self._is_restored = False
        self._lock = ExitStack()
        self._closed = False
        self._history: History | None = None
        self._graph: bytes | None = None
        self._result: dict[str, Any] = {}

    @property
    def checkpoints(self) -> Path:
        """Folder for all that the objective needs to resume; it may not exist yet."""
        return self.directory / "checkpoints"

    @property
    def seconds(self) -> float:
        """Training time of the history that is kept, earlier processes included."""
        return self._seconds_before + time.monotonic() - self._entered

    @property
    def best(self) -> BestValue | None:
        """The best value of the ranking metric that was reported, and its step; None: none was."""
        return None if self._history is None else self._history.result["best"]

    @property
    def values(self) -> Sequence[tuple[int, float]]:
        """Step and value of each report of the ranking metric."""
        return () if self._history is None else self._history.values

    @property
    def should_stop(self) -> bool:
        """Whether the objective should save a checkpoint and return."""
        self._stops_itself = True
        return self._stop is not None

    @property
    def start(self) -> int:
        """Step to go on from: the one after that of the saved state; 0 where there is none.

            for step in range(run.start, steps):

        What was reported after that state is dropped. A program that counts its updates from 1
        begins at `max(1, run.start)`.
        """
        saved = self._restored()
        return 0 if saved is None else saved.step + 1

    def restore(self) -> dict[str, Any] | None:
        """Return the state that `save` wrote last; None where there is none.

        What was reported after it is dropped. Arrays come back as NumPy's.
        """
        saved = self._restored()
        return None if saved is None else saved.state

    def _restored(self) -> SavedState | None:
        if not self._is_restored:
            self._is_restored = True
            if self._history is None and (saved := read_state(self.checkpoints)):
                self._saved = saved
                self.resume_at(saved.step)
                self._keep_if_best(saved.step)
        return self._saved

    def save(self, state: Mapping[str, Any]) -> None:
        """Save a small state, from which the trial goes on after the latest report.

        It takes the place of the state before. Where the trial is to stop, it ends here.

        Args:
          state: by name, numbers, texts, booleans, None, bytes, arrays of numbers (NumPy's, or what
            NumPy can make one of), and mappings of these.

        Raises:
          UserError: a value is of another kind, or the file cannot be written.
        """
        self._stops_itself = True
        step = -1 if self._history is None else self._result["step"]
        write_state(self.checkpoints, step, state)
        self._keep_if_best(step)
        self.checkpoint_saved()
        if self._stop is not None:
            raise Stopped

    def _keep_if_best(self, step: int) -> None:
        if self.best is not None and self.best.step == step:
            keep_best_state(self.checkpoints)

    def _drop_checkpoints(self) -> None:
        """Delete what a finished run does not keep, and record whether it keeps any."""
        is_none = self._keep_checkpoints == "none"
        if self._has_saved:
            with suppress(UserError):  # as on a full disk
                self.add_provenance(checkpoints=DELETED if is_none else SAVED)
        if is_none:
            shutil.rmtree(self.checkpoints, ignore_errors=True)
        elif self._keep_checkpoints == "last":
            forget_best_state(self.checkpoints)

    def request_stop(self, stop: Stop) -> None:
        """Set `should_stop`. The first request decides the status."""
        self._stop = self._stop or stop

    @property
    def closed(self) -> bool:
        """Whether the final status is written. A closed run takes no more reports."""
        return self._closed

    def __enter__(self) -> Self:
        in_use = f"{self.directory} is being trained by another process; wait for it, or stop it."
        self._lock.enter_context(locked(self.directory / LOCK_FILE, in_use, self._lock_timeout))
        (self.directory / "error.txt").unlink(missing_ok=True)
        earlier = read_result(self.directory)
        self._seconds_before = float(earlier.get("seconds") or 0)
        self._entered = time.monotonic()
        self._result = {key: earlier.get(key, default) for key, default in empty_result().items()}
        self._result |= {"error": None, "stopped_by": None}
        self._write_result(TrialStatus.RUNNING)
        return self

    def report(
        self, step: int, metrics: Mapping[str, float], total_steps: int | None = None
    ) -> None:
        """Record metrics at an update step.

        The first report starts a new history, unless `resume_at` was called before.

        Args:
          step: updates made so far.
          metrics: by tag.
          total_steps: updates that the trial makes in all, if that is known.

        Raises:
          UserError: the step is before the latest report's, or no whole number; the metrics have no
            tags; a value is no number; the disk is full, or the folder cannot be written any more.
        """
        if self._stop is not None and not self._stops_itself:
            raise Stopped
        step = self._checked_step(step)
        if not isinstance(metrics, Mapping):
            shown = f"run.report({step}, {{{self.metric!r}: loss}})"
            raise UserError(
                f"run.report got {str(metrics)[:50]!r} as metrics; give them by tag, as in {shown}."
            )
        values = {tag: _number(tag, value) for tag, value in metrics.items()}
        self._end_phase()
        self._open_history().report(step, time.time(), values)
        self._result["total_steps"] = total_steps
        if time.monotonic() - self._written >= RESULT_SECONDS:
            self._write_result(TrialStatus.RUNNING)
        self._send_report()
        self._pending_report = (step, values, total_steps)
        if self.metric not in values:
            self._send_report()
        self._stop = self._stop or self._stop_signal(self.seconds)

    def _checked_step(self, step: int) -> int:
        try:
            number = operator.index(step)
        except TypeError as error:
            raise UserError(
                f"run.report got step={step!r}, which is no whole number; give the step first, "
                'then the metrics, as in run.report(step, {"loss": loss}).'
            ) from error
        latest = -1 if self._history is None else self._result["step"]
        if number < max(0, latest):
            before = f", after step {latest}" if number >= 0 else ""
            raise UserError(
                f"run.report got step {number}{before}; report steps from 0 in their order, and "
                "begin at run.start where a trial goes on."
            )
        return number

    def phase(self, text: str) -> None:
        """Say what the objective does before its first report, for who watches it.

        Args:
          text: a word, such as `compiling`.
        """
        self._phase = text
        self._on_phase(text)

    def _end_phase(self) -> None:
        if self._phase:
            self.phase("")

    def report_returned(self, value: Any) -> None:
        """Record what the objective returned: the metric, or metrics by tag.

        It is recorded at the latest step; an objective without a report of its own has one step.

        Args:
          value: a number, or a mapping from tags to numbers. None: nothing is recorded.

        Raises:
          UserError: it is anything else.
        """
        if value is None:
            return
        metrics = value if isinstance(value, Mapping) else {self.metric: value}
        try:
            values = {str(tag): _number(tag, one) for tag, one in metrics.items()}
        except UserError as error:
            shown = repr(value) if len(repr(value)) < 80 else f"a {type(value).__name__}"
            raise UserError(
                f"the objective returned {shown}, which is no number; return the value of "
                f"sweep.metric={self.metric}, metrics by tag, or nothing."
            ) from error
        step, total = self._result["step"], self._result["total_steps"]
        if self._history is None:
            step = total = 1
        elif all(_same(one, self._result["metrics"].get(tag)) for tag, one in values.items()):
            return  # reported before
        self._stops_itself = True
        self.report(step, values, total)

    def report_points(self, points: Iterable[tuple[int, Mapping[str, float]]]) -> None:
        """Record pairs of step and metrics that precede the next report.

        They reach the event file and `metrics.csv`, but not `on_report`.
        """
        for step, values in points:
            self._open_history().report(step, time.time(), values)

    def log_summaries(self, step: int, summaries: Mapping[str, Summary]) -> None:
        """Record TensorBoard summaries (histograms, texts, tensors) by tag at an update step.

        Raises:
          UserError: the disk is full, or the folder cannot be written any more.
        """
        self._open_history().log_summaries(step, summaries)

    def log_graph(self, graph: bytes) -> None:
        """Record the model's graph, a serialised GraphDef. It starts no history."""
        self._graph = graph
        if self._history:
            self._history.log_graph(graph)

    def log_embeddings(self, embeddings: Mapping[str, Embedding]) -> None:
        """Write points for TensorBoard's projector, by name, in place of earlier ones."""
        from sweeps.tensorboard.projector import write_embeddings

        write_embeddings(self.directory, embeddings)

    def checkpoint_saved(self) -> None:
        """Note that the folder `checkpoints` holds the state of the latest report."""
        self._has_saved = True
        self._on_checkpoint()
        self._send_report()

    def _send_report(self) -> None:
        pending, self._pending_report = self._pending_report, None
        if pending and self._on_report:
            self._on_report(*pending)

    def resume_at(self, step: int) -> None:
        """Drop every report and summary after this step, whose checkpoint was restored."""
        self._close_files()
        self._history = History(
            self.directory, self.metric, self.mode, keep_until=step, charts=self._charts
        )
        self._result = self._history.result
        if self._graph is not None:
            self._history.log_graph(self._graph)
        if step >= 0:
            self._on_resume(step)

    def _open_history(self) -> History:
        if self._history is None:
            self._seconds_before = 0.0
            forget_best_state(self.checkpoints)
            self.resume_at(-1)
        assert self._history
        return self._history

    def add_provenance(self, **facts: Any) -> None:
        """Add facts to `provenance.json` that only the running program knows, as its device."""
        add_provenance(self.directory, **facts)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        open_until_now = not self._closed
        self.close(None if isinstance(error, Stopped) else error)
        return open_until_now and isinstance(error, Diverged | Stopped)

    def close(self, error: BaseException | None = None) -> None:
        """Write the final status, as leaving the block with this error would.

        Leaving the block afterwards does nothing more.
        """
        if self._closed:
            return
        self._closed = True
        self._end_phase()
        status, ended = status_after(error), self._result["step"] == self._result["total_steps"]
        if error is not None and status != TrialStatus.STOPPED:
            self._result["error"] = one_line_error(error, (UserError, Diverged))
        if error is None and self._stop and not ended:
            status = self._stop.status
            self._result |= {
                "stopped_by": self._stop.stopped_by,
                "error": self._stop.reason or None,
            }
        if status == TrialStatus.FAILED and error is not None:
            write_text(self.directory / "error.txt", "".join(traceback.format_exception(error)))
        if isinstance(error, Diverged):
            self._result["step"] = error.step
        with self._lock:
            with suppress(UserError, OSError):  # a full disk does not decide how it ended
                self._log_end(status)
            self._close_files()
            self._write_result(status)
            if status.is_done or self._result["stopped_by"] == PATIENCE:
                self._drop_checkpoints()
            if error is None or isinstance(error, Diverged):
                self._send_report()

    def _log_end(self, status: TrialStatus) -> None:
        if self._history:
            self._history.end(status)
        else:  # it ended before its first report
            rewrite_hparams(self.directory, status)

    def _close_files(self) -> None:
        if self._history:
            self._history.close()

    def _write_result(self, status: TrialStatus) -> None:
        result = {"status": status, "seconds": round(self.seconds, 3), **self._result}
        write_result(self.directory, result)
        self._written = time.monotonic()


def _number(tag: str, value: Any) -> float:
    """A metric's value; arrays of one number, as libraries return them, are numbers."""
    try:
        if getattr(value, "size", None) == 1 and hasattr(value, "item"):  # an array of any shape
            value = value.item()
        if isinstance(value, str | bytes):
            raise TypeError(f"a {type(value).__name__}")
        return float(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(
            f"the metric {tag} is {str(value)[:50]!r}, which is no number; report one number a tag."
        ) from error


def _same(one: float, other: float | None) -> bool:
    return other is not None and (one == other or (one != one and other != other))
