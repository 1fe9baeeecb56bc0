"""Where a trial stands: its start, its reports, its checkpoints, its end."""

import logging
import math
import time
from collections.abc import Mapping, Sequence

import jax

from lm.backend import devices
from lm.backend.execution import ExecutionPlan, refused_options
from lm.config.schema import PLATEAU
from lm.model.types import Params
from lm.optim.schedule import plateau_steps
from lm.training.callbacks import Callback
from lm.training.checkpoint import Checkpoint, CheckpointManager
from lm.training.functions import flushed
from lm.training.state import TrainState, count_parameters, evaluated_params
from lm.training.trainer import Trainer, TrainReport
from lm.training.warm_start import record_source
from sweeps.errors import UserError
from sweeps.store import TrialStatus
from sweeps.store.result import updated_best
from sweeps.store.status import PATIENCE
from sweeps.tracking import Diverged, Interrupt, Run, Stop

log = logging.getLogger(__name__)


class TrainingSession:
    """One trial in this process, from its start or from its last checkpoint to its end."""

    def __init__(self, trainer: Trainer, run: Run, callbacks: Sequence[Callback] = ()) -> None:
        """Describe a session; nothing is read or written yet.

        Args:
          trainer: of the trial.
          run: takes its reports; its folder takes its checkpoints.
          callbacks: its observers.
        """
        self.trainer = trainer
        self.run = run
        self.callbacks = callbacks
        keep = trainer.config.sweep.keep_checkpoints
        self.checkpoints = CheckpointManager(run.checkpoints, keep)
        self.step = 0
        """Updates made."""
        self._saved = time.monotonic()
        self._epoch_start, self._epoch_seconds = 0, 0.0

    @property
    def ended(self) -> bool:
        """Whether no update is left."""
        return self.step >= self.trainer.total_steps

    @property
    def is_out_of_patience(self) -> bool:
        """Whether as many evaluations as `train.patience` allows brought no better value."""
        return self._is_patience_used_up()

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to train."""
        return self.ended or self.is_out_of_patience

    @property
    def has_best_value(self) -> bool:
        """Whether the last report had the best value of the ranking metric until now."""
        return self.run.best is not None and self.run.best.step == self.step

    @property
    def epoch_ended(self) -> bool:
        """Whether the last update was an epoch's last."""
        return self.step % self.trainer.steps_per_epoch == 0

    @property
    def is_checkpoint_due(self) -> bool:
        """Whether to save: after each epoch, at each best value, and after some time."""
        waited = time.monotonic() - self._saved
        return (
            self.epoch_ended
            or self.has_best_value
            or waited >= 60 * self.trainer.config.train.checkpoint_minutes
        )

    def start(self) -> TrainState:
        """The state to train on from: that of the newest checkpoint, if there is one.

        Raises:
          UserError: there are checkpoints, and none can be read; or what `init_from` names cannot.
        """
        restored = self.checkpoints.restore(self.trainer.functions.shapes)
        if restored is None:
            self.checkpoints.forget_best()
            trainer = self.trainer
            if trainer.config.init_from is not None:
                words, digest = trainer.vocabulary.words, trainer.text_digest
                record_source(trainer.config, words, digest, self.run.directory)
            return trainer.start()
        self.step = self._epoch_start = int(restored.step)
        self.run.resume_at(self.step)
        if self.run.best is None:
            self.checkpoints.forget_best()
        else:  # what is kept may be later than this step, or not linked yet
            self.checkpoints.keep_best(self.run.best.step)
        self._take_plateaus()
        log.info("Going on from the checkpoint of step %d.", self.step)
        return restored

    def add_provenance(
        self, compute: ExecutionPlan, compile_seconds: float, **facts: int | str
    ) -> None:
        """Record what the trial runs on, and say in the log how it computes."""
        device = devices.describe()
        log.info("Computing on %s: %s.", device, compute.describe())
        refused = refused_options()
        if refused:
            log.info(
                "This version of JAX has no %s; programs may compile or run slower without.",
                ", ".join(refused),
            )
        self.run.add_provenance(
            device=device,
            **compute._asdict(),
            parameters=count_parameters(self.trainer.functions.shapes.params),
            compile_seconds=round(compile_seconds, 3),
            volatile_metrics=["time/words_per_second"],
            **devices.runtime_environment(),
            **facts,
        )

    def begin(self, state: TrainState) -> None:
        """Let the callbacks see the state before the first update."""
        for callback in self.callbacks:
            callback.on_train_begin(state)
        for callback in self.callbacks:
            if callback.is_due(-1, 0):
                callback.on_report(state, 0)

    def count(self, report: TrainReport) -> None:
        """Take note of the updates since the last report."""
        self.step += report.steps
        self._epoch_seconds += report.seconds

    def due_callbacks(self, report: TrainReport) -> list[Callback]:
        """The callbacks that want to see the state at this report; none if it is not finite."""
        previous = self.step - report.steps
        return [
            callback
            for callback in self.callbacks
            if report.finite and callback.is_due(previous, self.step)
        ]

    def on_epoch(self, params: Params) -> dict[str, float]:
        """Collect the metrics that the callbacks take from an epoch's parameters, by tag."""
        found: dict[str, float] = {}
        for callback in self.callbacks:
            found |= callback.on_epoch(params, self.step)
        return found

    def is_better(self, metrics: Mapping[str, float]) -> bool:
        """Whether these metrics have a better value of the ranking metric than all reports."""
        best = self.run.best
        return updated_best(best, self.step, metrics, self.run.metric, self.run.mode) is not best

    def is_last(self, metrics: Mapping[str, float]) -> bool:
        """Whether the trial ends with an evaluation, given the metrics that it is to report."""
        if self.ended or self.run.metric not in metrics:
            return self.ended
        return self._is_patience_used_up((self.step, metrics[self.run.metric]))

    def _evaluated(self) -> list[tuple[int, float]]:
        """Step and value of the ranking metric at each epoch's end."""
        per_epoch = self.trainer.steps_per_epoch
        return [(step, value) for step, value in self.run.values if step % per_epoch == 0]

    def _is_patience_used_up(self, *following: tuple[int, float]) -> bool:
        """Whether it is after the evaluations so far, and these."""
        patience = self.trainer.config.train.patience
        if patience is None:
            return False
        return bool(plateau_steps([*self._evaluated(), *following], self.run.mode, patience))

    def _take_plateaus(self) -> None:
        """Let the values so far decide the learning rate from here on."""
        optimizer = self.trainer.config.optimizer
        if optimizer.schedule == PLATEAU:
            patience = optimizer.plateau_patience
            self.trainer.plateaus = plateau_steps(self._evaluated(), self.run.mode, patience)

    def best_params(self) -> Params | None:
        """Parameters that were evaluated at the best value; None where they are lost."""
        functions = self.trainer.functions
        like = Checkpoint(state=functions.shapes, hyperparams=self.trainer.hyperparams(0))
        try:
            best = self.checkpoints.restore_best(like)
        except UserError as error:
            log.warning("The test split is not evaluated at the best value: %s", error)
            return None
        return evaluated_params(jax.device_put(flushed(functions, *best)))

    def report(
        self,
        report: TrainReport,
        observed: Mapping[str, float],
        evaluation: Mapping[str, float],
    ) -> None:
        """Report; at an epoch's end with its evaluation, and the words per second of all of it.

        Args:
          report: of the updates since the last report.
          observed: metrics of callbacks.
          evaluation: at the end of an epoch whose updates are finite; else empty.

        Raises:
          Diverged: a loss, a gradient or the evaluation is no finite number; it is reported all the
            same.
        """
        self.run.report_points(report.points_before)
        metrics, finite = {**report.metrics, **observed, **evaluation}, report.finite
        if evaluation:
            words = (self.step - self._epoch_start) * self.trainer.words_per_step
            metrics["time/words_per_second"] = words / self._epoch_seconds
            self._epoch_start, self._epoch_seconds = self.step, 0.0
            finite = finite and math.isfinite(evaluation["valid/loss"])
        self.run.report(self.step, metrics, self.trainer.total_steps)
        if self.epoch_ended:
            self._take_plateaus()
        if not finite:
            raise Diverged(self.step)

    def checkpoint(self, state: TrainState) -> Checkpoint:
        """Make the checkpoint of a state at a report."""
        return Checkpoint(state=state, hyperparams=self.trainer.hyperparams(self.step - 1))

    def on_checkpoint_saved(self) -> None:
        """Take note that a checkpoint of this step is complete."""
        if self.has_best_value:
            self.checkpoints.keep_best(self.step)
        self.run.checkpoint_saved()
        self._saved = time.monotonic()

    def close(self, error: BaseException | None = None) -> None:
        """Write how the trial ended; where nothing is left to train, drop what is not kept."""
        if self.is_out_of_patience and not self.ended:
            reason = f"by train.patience={self.trainer.config.train.patience}"
            self.run.request_stop(Stop(TrialStatus.STOPPED, PATIENCE, reason))
        self.run.close(error)
        if isinstance(error, Diverged) or (error is None and self.is_over):
            self.checkpoints.finish()

    def interrupted(self, interrupt: Interrupt) -> KeyboardInterrupt:
        """How a trial ends that saved at a signal."""
        return interrupt.error(f"stopped after step {self.step}, which is saved")
