"""Training one trial from the first update to the last."""

from collections.abc import Mapping
from typing import Any

from lm.backend.compile_cache import record_compilations, use_cache
from lm.config import parse_config
from lm.data.dataset import load_dataset
from lm.optim.averaging import averaged_updates
from lm.training.session import TrainingSession
from lm.training.state import TrainState, evaluated_params
from lm.training.step import record_validation_loss
from lm.training.trainer import Trainer
from sweeps.run import Interrupt, Run


def train(values: Mapping[str, Any], run: Run) -> None:
    """Train one model; goes on from its last checkpoint, if the run's folder holds one.

    Args:
      values: a composed configuration, plain values.
      run: takes the reports; its folder takes vocabulary and checkpoints.

    Raises:
      Diverged: the loss or the gradient is no finite number any more.
      KeyboardInterrupt: Ctrl-C or SIGTERM; a checkpoint was written first.
      UserError: the input is bad, or the disk is full.
    """
    config = parse_config(values)
    text = load_dataset(config.data)
    text.vocabulary.save(run.directory / "vocab.tsv")
    use_cache()
    course = TrainingSession(Trainer(config, text), run)
    state = course.start()
    with record_compilations() as compiling:
        state, compile_seconds = course.trainer.compile(state)
    compute = course.trainer.functions.compute
    course.record(compute, compile_seconds, compile_cache=compiling.cache_status)
    _train_on(course, state)


def _train_on(course: TrainingSession, state: TrainState) -> None:
    """Advance report by report; a checkpoint after each epoch, after some time, at a signal."""
    trainer, run = course.trainer, course.run
    with Interrupt() as interrupt:
        if course.step == 0:
            course.views.begin(state)
        while not course.ended:
            done = trainer.advance(state, course.step)
            state, metrics = done.state, done.metrics
            course.go_on(done.steps, done.seconds)
            evaluation = {}
            before = course.step - done.steps
            if done.finite and course.views.due(before, course.step):
                metrics |= course.views.look(state, before, course.step)
            if course.epoch_ended and done.finite:
                params = evaluated_params(state)
                evaluation = trainer.evaluate_epoch(params, last=course.ended)
                evaluation |= course.views.evaluated(params, course.step)
                evaluation |= averaged_updates(state.average)
                state = record_validation_loss(state, evaluation["valid/loss"])
            course.report(metrics, done.finite, evaluation, done.points_before)
            if course.due or interrupt.requested or run.should_stop:
                # At once: in the background it would save less than a hundredth of an epoch, and
                # a save that has returned is one that a killed process cannot lose.
                course.checkpoints.save(state)
                course.saved()
                if interrupt.requested:
                    raise course.interrupted()
                if run.should_stop:
                    return
