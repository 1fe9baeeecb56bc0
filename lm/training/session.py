"""A trial's course from report to report, alone or in a pack: start, reports, checkpoints, end."""

import logging
import math
import time
from collections.abc import Iterable, Mapping

from lm.backend import devices
from lm.backend.execution import ExecutionPlan
from lm.monitor.monitor import Monitor
from lm.training.checkpoint import CheckpointManager
from lm.training.metrics import CurvePoint
from lm.training.state import TrainState, count_parameters
from lm.training.trainer import Trainer
from sweeps.run import Diverged, Run

log = logging.getLogger(__name__)


class TrainingSession:
    """Where a trial stands, what it reports, and when it saves."""

    def __init__(self, trainer: Trainer, run: Run) -> None:
        self.trainer = trainer
        self.run = run
        self.views = Monitor(trainer, run)
        self.checkpoints = CheckpointManager(run.checkpoints)
        self.step = 0
        self._saved = time.monotonic()
        self._epoch_start, self._epoch_seconds = 0, 0.0

    @property
    def ended(self) -> bool:
        """Whether no update is left."""
        return self.step >= self.trainer.total_steps

    @property
    def epoch_ended(self) -> bool:
        """Whether the last update was an epoch's."""
        return self.step % self.trainer.steps_per_epoch == 0

    @property
    def due(self) -> bool:
        """Whether a checkpoint is: after each epoch, and after some time."""
        waited = time.monotonic() - self._saved
        return self.epoch_ended or waited >= 60 * self.trainer.config.train.checkpoint_minutes

    def start(self) -> TrainState:
        """The state to go on from: that of the newest checkpoint, if there is one.

        Raises:
          UserError: there are checkpoints, and none can be read.
        """
        restored = self.checkpoints.restore(self.trainer.functions.shapes)
        if restored is None:
            return self.trainer.start()
        self.step = self._epoch_start = int(restored.step)
        self.run.resume_at(self.step)
        log.info("Going on from the checkpoint of step %d.", self.step)
        return restored

    def record(self, compute: ExecutionPlan, compile_seconds: float, **facts: int | str) -> None:
        """Add to the provenance what the trial runs on, and tell the log how it computes."""
        device = devices.describe()
        log.info("Computing on %s: %s.", device, compute.describe())
        self.run.add_provenance(
            device=device,
            **compute._asdict(),
            parameters=count_parameters(self.trainer.functions.shapes.params),
            compile_seconds=round(compile_seconds, 3),
            volatile_metrics=["time/words_per_second"],
            **devices.runtime_environment(),
            **facts,
        )

    def go_on(self, steps: int, seconds: float) -> None:
        """Count what was trained since the last report."""
        self.step += steps
        self._epoch_seconds += seconds

    def report(
        self,
        metrics: Mapping[str, float],
        finite: bool,
        evaluation: Mapping[str, float],
        before: Iterable[CurvePoint],
    ) -> None:
        """Report; at an epoch's end with its evaluation, and the words per second of all of it.

        Args:
          metrics: of the updates since the last report.
          finite: whether all losses and gradients were.
          evaluation: at the end of an epoch that is finite; else empty.
          before: points of its curves since the last report.

        Raises:
          Diverged: they were not, or the evaluation is not; it is reported all the same.
        """
        self.run.report_points(before)
        metrics = {**metrics, **evaluation}
        if evaluation:
            words = (self.step - self._epoch_start) * self.trainer.words_per_step
            metrics["time/words_per_second"] = words / self._epoch_seconds
            self._epoch_start, self._epoch_seconds = self.step, 0.0
            finite = finite and math.isfinite(evaluation["valid/loss"])
        self.run.report(self.step, metrics, self.trainer.total_steps)
        if not finite:
            raise Diverged(self.step)

    def saved(self) -> None:
        """A checkpoint of this step is complete."""
        self.run.checkpoint_saved()
        self._saved = time.monotonic()

    def interrupted(self) -> KeyboardInterrupt:
        """How a trial ends that saved at a signal."""
        return KeyboardInterrupt(f"stopped after step {self.step}, which is saved")
