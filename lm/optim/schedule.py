"""Numbers that change in training: `train.changes`, the learning rate, and what patience decides.

A population of trials changes them while it trains; listed in `train.changes`, a single run repeats
its course.
"""

import math
from collections.abc import Iterable
from dataclasses import replace

from lm.config import Config, OptimizerConfig
from lm.config.schema import PLATEAU
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
