"""The training loop: from report to report, for one trial or for the lanes of a pack.

An engine takes the steps, a session is what one trial has to say about them. `lm.objective` makes
both.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from lm.backend.compile_cache import record_compilations
from lm.backend.execution import ExecutionPlan
from lm.model.types import Params
from lm.optim.averaging import averaged_updates
from lm.training.checkpoint import CheckpointWriter
from lm.training.session import TrainingSession
from lm.training.state import TrainState, evaluated_params
from lm.training.step import record_validation_loss
from lm.training.trainer import Trainer, TrainReport
from sweeps.tracking import Diverged, Interrupt


class Engine(Protocol):
    """Takes the steps of trials; each has the number of its session, its lane."""

    compute: ExecutionPlan
    """How it computes on this device."""
    saves_in_background: bool
    """Whether training goes on while checkpoints are written."""

    @property
    def lanes(self) -> list[int]:
        """The lanes that are in training."""

    def compile(self) -> None:
        """Compile by taking no step and evaluating no window."""

    def advance(self) -> dict[int, TrainReport]:
        """Train to the nearest report; gives those of the lanes that have come to theirs."""

    def evaluate(self, lanes: Sequence[int], split: str) -> dict[int, dict[str, float]]:
        """Metrics of a held-out split, by tag, for each of the lanes."""

    def evaluate_params(self, lane: int, params: Params, split: str) -> dict[str, float]:
        """Metrics of a held-out split, by tag, with other parameters than a lane's own."""

    def averaged_updates(self, lane: int) -> dict[str, float]:
        """Number of updates whose average is evaluated, by tag; empty without averaging."""

    def record_validation_losses(self, losses: Mapping[int, float]) -> None:
        """Let the validation losses of lanes decide whether averaging begins."""

    def state(self, lane: int) -> TrainState:
        """The state of a lane, valid until the next call of `advance`."""

    def remove(self, lane: int) -> None:
        """Train this lane no more."""


class SingleEngine:
    """Trains one trial, whose lane is 0."""

    saves_in_background = False

    def __init__(self, trainer: Trainer, state: TrainState) -> None:
        self.compute = trainer.functions.compute
        self.lanes = [0]
        self._trainer = trainer
        self._state = state
        self._step = int(state.step)

    def compile(self) -> None:
        """Compile by taking no step and evaluating no window."""
        self._state, _ = self._trainer.compile(self._state)

    def advance(self) -> dict[int, TrainReport]:
        """Train to the next report."""
        self._state, report = self._trainer.advance(self._state, self._step)
        self._step += report.steps
        return {0: report}

    def evaluate(self, lanes: Sequence[int], split: str) -> dict[int, dict[str, float]]:
        """Metrics of a held-out split, by tag."""
        params = evaluated_params(self._state)
        return {lane: self._trainer.evaluate(params, split) for lane in lanes}

    def evaluate_params(self, lane: int, params: Params, split: str) -> dict[str, float]:
        """Metrics of a held-out split with other parameters than those in training."""
        return self._trainer.evaluate(params, split)

    def averaged_updates(self, lane: int) -> dict[str, float]:
        """Number of updates whose average is evaluated, by tag; empty without averaging."""
        return averaged_updates(self._state.average)

    def record_validation_losses(self, losses: Mapping[int, float]) -> None:
        """Let the validation loss decide whether averaging begins."""
        for loss in losses.values():
            self._state = record_validation_loss(self._state, loss)

    def state(self, lane: int) -> TrainState:
        """The state, valid until the next call of `advance`."""
        return self._state

    def remove(self, lane: int) -> None:
        """Train no more."""
        self.lanes.remove(lane)


def compile_functions(
    engine: Engine, sessions: Sequence[TrainingSession], **facts: int | str
) -> None:
    """Compile all that training, evaluation and the callbacks need, before the clock starts.

    Args:
      engine: with at least one lane.
      sessions: of the lanes. Their callbacks share what they compile, so those of one lane are
        enough.
      facts: for the provenance of each, which gets the seconds that this took, too.
    """
    for lane in engine.lanes:
        sessions[lane].run.phase("compiling")
    began = time.perf_counter()
    with record_compilations() as compilations:
        engine.compile()
        first = engine.lanes[0]
        for callback in sessions[first].callbacks:
            callback.compile(engine.state(first))
    seconds = time.perf_counter() - began
    for lane in engine.lanes:
        sessions[lane].run.phase("training")
    for lane in engine.lanes:
        sessions[lane].add_provenance(
            engine.compute, seconds, compile_cache=compilations.cache_status, **facts
        )


def run_training(engine: Engine, sessions: Sequence[TrainingSession]) -> None:
    """Train until each trial has ended; a run is closed as soon as its trial has.

    A checkpoint is saved after each epoch, after some time, at a signal, and before a trial is
    stopped.

    Args:
      engine: with the lanes that have updates left, or with one trial.
      sessions: of all lanes, by their number.

    Raises:
      KeyboardInterrupt: Ctrl-C or another signal of `Interrupt`; checkpoints were saved first.
      UserError: a checkpoint cannot be written.
    """
    with (
        CheckpointWriter(background=engine.saves_in_background) as writer,
        Interrupt() as interrupt,
    ):
        for lane in list(engine.lanes):
            if sessions[lane].is_over:
                engine.remove(lane)
                sessions[lane].close()
            elif sessions[lane].step == 0:
                sessions[lane].begin(engine.state(lane))
        while engine.lanes:
            reports = engine.advance()
            writer.finish()  # before the next report, which would go out ahead of the checkpoint
            for lane, report in reports.items():
                sessions[lane].count(report)
            going_on = _report(engine, sessions, reports)
            saving = [
                lane
                for lane in going_on
                if _must_end(sessions[lane], interrupt) or sessions[lane].is_checkpoint_due
            ]
            for lane in saving:
                session = sessions[lane]
                checkpoint = session.checkpoint(engine.state(lane))
                writer.save(session.checkpoints, checkpoint, session.on_checkpoint_saved)
            # Asked again, since saving may have brought a signal; who leaves now has saved.
            ending = [lane for lane in saving if _must_end(sessions[lane], interrupt)]
            if ending:
                writer.finish()
            for lane in ending:
                engine.remove(lane)
                error = sessions[lane].interrupted(interrupt) if interrupt.requested else None
                sessions[lane].close(error)
        if interrupt.requested:
            if len(sessions) == 1:
                raise sessions[0].interrupted(interrupt)
            raise interrupt.error("stopped; what was trained is saved")


def _must_end(session: TrainingSession, interrupt: Interrupt) -> bool:
    return session.is_over or interrupt.requested or session.run.should_stop


def _report(
    engine: Engine, sessions: Sequence[TrainingSession], reports: Mapping[int, TrainReport]
) -> list[int]:
    """Observe, evaluate and report; a trial that has diverged ends. Gives the lanes that go on."""
    observed: dict[int, dict[str, float]] = {}
    for lane, report in reports.items():
        observed[lane] = {}
        if due := sessions[lane].due_callbacks(report):
            state = engine.state(lane)
            for callback in due:
                observed[lane] |= callback.on_report(state, sessions[lane].step)
    lanes = [lane for lane in reports if reports[lane].finite and sessions[lane].epoch_ended]
    evaluations = _evaluate(engine, sessions, lanes) if lanes else {}
    for lane, metrics in evaluations.items():
        reported = {**reports[lane].metrics, **observed[lane], **metrics}
        if "test" in sessions[lane].trainer.tokens and sessions[lane].is_last(reported):
            metrics |= _test(engine, lane, sessions[lane], reported)
    going_on = []
    for lane, report in reports.items():
        try:
            sessions[lane].report(report, observed[lane], evaluations.get(lane, {}))
        except Diverged as error:
            engine.remove(lane)
            sessions[lane].close(error)
        else:
            going_on.append(lane)
    return going_on


def _evaluate(
    engine: Engine, sessions: Sequence[TrainingSession], lanes: Sequence[int]
) -> dict[int, dict[str, float]]:
    """Metrics of the lanes that have ended an epoch, by tag."""
    evaluations = engine.evaluate(lanes, "valid")
    for lane, metrics in evaluations.items():
        metrics |= engine.averaged_updates(lane)
        if sessions[lane].callbacks:
            metrics |= sessions[lane].on_epoch(evaluated_params(engine.state(lane)))
    engine.record_validation_losses(
        {lane: metrics["valid/loss"] for lane, metrics in evaluations.items()}
    )
    return evaluations


def _test(
    engine: Engine, lane: int, session: TrainingSession, metrics: Mapping[str, float]
) -> dict[str, float]:
    """Metrics of the test split at the end of a trial, by tag, and those at its best value."""
    last = engine.evaluate([lane], "test")[lane]
    best = last
    if not session.is_better(metrics):
        params = session.best_params()
        best = {} if params is None else engine.evaluate_params(lane, params, "test")
    return {**last, **{f"{tag}_at_best": value for tag, value in best.items()}}
