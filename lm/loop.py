"""Training from the first update to the last: reports, evaluation, checkpoints, resume."""

import logging
import math
import time
from collections.abc import Mapping
from typing import Any

import jax

from lm import devices
from lm.checkpoint import Checkpoints
from lm.compilation import use_cache, watch
from lm.config import typed
from lm.data.tokens import load_tokens
from lm.program import count_parameters
from lm.step import TrainState
from lm.trainer import Trainer
from sweeps.interrupt import Interrupt
from sweeps.run import Diverged, Run

log = logging.getLogger(__name__)


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
    config = typed(values)
    text = load_tokens(config.data)
    text.vocabulary.save(run.directory / "vocab.tsv")
    use_cache()
    trainer = Trainer(config, text)
    with Checkpoints(run.checkpoints) as checkpoints:
        state, step = _start(trainer, checkpoints, run)
        with watch() as compiling:
            state, compile_seconds = trainer.compile(state)
        run.record(
            device=devices.describe(),
            **trainer.program.compute._asdict(),
            parameters=count_parameters(state.params),
            compile_seconds=round(compile_seconds, 3),
            compile_cache=compiling.origin,
            volatile=["words_per_second"],
            **devices.surroundings(),
        )
        log.info("Computing on %s: %s.", devices.describe(), trainer.program.compute)
        _train_on(trainer, state, step, checkpoints, run)


def _start(trainer: Trainer, checkpoints: Checkpoints, run: Run) -> tuple[TrainState, int]:
    """The state to go on from, and its step."""
    restored = checkpoints.restore(jax.eval_shape(trainer.start))
    if restored is None:
        return trainer.start(), 0
    step = int(restored.step)
    run.resume_at(step)
    log.info("Going on from the checkpoint of step %d.", step)
    return restored, step


def _train_on(
    trainer: Trainer, state: TrainState, step: int, checkpoints: Checkpoints, run: Run
) -> None:
    """Advance report by report; a checkpoint after each epoch, after some time, at a signal."""
    saved = time.monotonic()
    seconds, first_step = 0.0, step
    with Interrupt() as interrupt:
        while step < trainer.total_steps:
            state, steps, spent, metrics, finite = trainer.advance(state, step)
            step, seconds = step + steps, seconds + spent
            epoch_ended = step % trainer.steps_per_epoch == 0
            if epoch_ended and finite:
                words = (step - first_step) * trainer.words_per_step
                metrics["words_per_second"] = words / seconds
                metrics |= trainer.evaluate_epoch(state.params, last=step == trainer.total_steps)
                finite = math.isfinite(metrics["valid/loss"])
                seconds, first_step = 0.0, step
            run.report(step, metrics, trainer.total_steps)
            if not finite:
                raise Diverged(step)
            due = time.monotonic() - saved >= 60 * trainer.config.train.checkpoint_minutes
            if epoch_ended or due or interrupt.wanted or run.stop_wanted:
                checkpoints.save(state)
                run.saved()
                saved = time.monotonic()
            if interrupt.wanted:
                raise KeyboardInterrupt(f"stopped after step {step}, which is saved")
            if run.stop_wanted:
                return
