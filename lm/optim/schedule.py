"""`train.changes`: numbers that are others from some update on.

A population of trials changes them while it trains; listed here, a single run repeats its course.
"""

from dataclasses import replace

from lm.config import Config, OptimizerConfig
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


def learning_rate(config: OptimizerConfig, epoch: int) -> float:
    """The full rate for `hold_epochs` epochs, then times `decay` for each epoch after them."""
    if config.hold_epochs is None:
        return config.learning_rate
    return float(config.learning_rate * config.decay ** max(epoch + 1 - config.hold_epochs, 0))
