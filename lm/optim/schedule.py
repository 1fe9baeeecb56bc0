"""Numbers that change in training: `train.changes`, the learning rate, and what patience decides.

A population of trials changes them while it trains; listed in `train.changes`, a single run repeats
its course.
"""

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from lm.config import Config, OptimizerConfig, varies_by_update
from lm.config.schema import BY_UPDATE, COSINE, PLATEAU, WSD
from lm.config.validate import CHANGEABLE


def config_at_step(config: Config, step: int) -> Config:
    """The configuration with all changes made that are due before update `step`, from 0."""
    for change in config.train.changes:
        if change["step"] > step:
            continue
        for key in CHANGEABLE:
            if key in change:
                section, _, name = key.partition(".")
                part = replace(getattr(config, section), **{name: change[key]})
                config = replace(config, **{section: part})
    return config


def steps_until_change(config: Config, step: int) -> float:
    """Updates from `step` to the next change; infinite where there is none."""
    left = [change["step"] - step for change in config.train.changes if change["step"] > step]
    return min(left, default=float("inf"))


def learning_rate(config: OptimizerConfig, epoch: int, plateaus: int = 0) -> float:
    """The learning rate of an epoch.

    With `schedule=hold` it is the full rate for `hold_epochs` epochs, then times `decay` for each
    epoch after them; with `schedule=plateau` it is the full rate times `decay` for each plateau.

    Args:
      config: the optimizer's options.
      epoch: counted from 0.
      plateaus: how often no better value came for `plateau_patience` evaluations.
    """
    if config.schedule == PLATEAU:
        return float(config.learning_rate * config.decay**plateaus)
    if config.hold_epochs is None:
        return config.learning_rate
    return float(config.learning_rate * config.decay ** max(epoch + 1 - config.hold_epochs, 0))


class RateCourse(NamedTuple):
    """How the learning rate changes from update to update, as numbers; f32 scalars.

    All schedules share one formula, so that trials that differ in them share compiled programs.
    """

    warmup_steps: Array
    """Updates until the full rate."""
    decay_start: Array
    """Updates until it falls; infinite: it never does."""
    decay_steps: Array
    """Updates in which it falls."""
    end_factor: Array
    """Share of the rate that is left then."""
    is_cosine: Array
    """1: it falls along half a cosine; 0: in a line."""


def rate_course(config: OptimizerConfig, total_steps: int) -> RateCourse | None:
    """Return the course of the learning rate over a training; None: it is constant in an epoch."""
    if not varies_by_update(config):
        return None
    start = float(config.warmup_steps)
    if config.schedule == WSD:
        start = max(start, total_steps - config.decay_fraction * total_steps)
    falls = config.schedule in BY_UPDATE
    return RateCourse(
        warmup_steps=jnp.float32(config.warmup_steps),
        decay_start=jnp.float32(start if falls else jnp.inf),
        decay_steps=jnp.float32(max(1.0, total_steps - start)),
        end_factor=jnp.float32(config.end_factor),
        is_cosine=jnp.float32(config.schedule == COSINE),
    )


def rate_factor(course: RateCourse, step: Array, numpy: Any = jnp) -> Array:
    """Return the share of the learning rate with which update `step` is made, f32[].

    Of W updates of warmup, update n, from 0, is made with the share (n + 1) / W. From then on they
    are the shares of `optax.linear_schedule` and `optax.cosine_decay_schedule`.

    Args:
      course: of the trial.
      step: i32[], updates made before.
      numpy: the library that computes; NumPy itself for arrays of the host.
    """
    before = step.astype(numpy.float32)
    warm = numpy.minimum(1.0, (before + 1) / numpy.maximum(1.0, course.warmup_steps))
    progress = numpy.clip((before - course.decay_start) / course.decay_steps, 0.0, 1.0)
    along_cosine = (1 - numpy.cos(numpy.pi * progress)) / 2
    fallen = numpy.where(course.is_cosine > 0, along_cosine, progress)
    factor: Array = warm * (1 - (1 - course.end_factor) * fallen)
    return factor


def plateau_steps(
    values: Iterable[tuple[int, float]], mode: str, patience: int | None
) -> list[int]:
    """Return the steps of evaluations at which patience was used up; it then begins anew.

    Args:
      values: step and value of each evaluation; NaN is never better.
      mode: `min` or `max`, which end of the value is better.
      patience: evaluations in a row without a value better than all before; None: without end.
    """
    sign, best, waited = (1.0 if mode == "min" else -1.0), math.inf, 0
    steps = []
    for step, value in values:
        waited = 0 if sign * value < best else waited + 1
        if waited == 0:
            best = sign * value
        elif waited == patience:
            steps.append(step)
            waited = 0
    return steps
