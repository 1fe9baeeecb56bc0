"""The hyperparameters that population based training changes."""

from collections.abc import Mapping
from typing import Any

PopulationValues = Mapping[str, float]
"""Option in full -> number."""


def population_values(
    config: Mapping[str, Any], schedule_option: str, keys: list[str]
) -> dict[str, float]:
    """Values of these options at the end of training, the scheduled changes included.

    Args:
      config: a trial's.
      schedule_option: key of the list of changes, each `{step, option: value}`.
      keys: options in full.
    """
    values = {key: value_at(config, key) for key in keys}
    for change in value_at(config, schedule_option):
        values |= {key: change[key] for key in keys if change.get(key) is not None}
    return values


def value_at(config: Mapping[str, Any], key: str) -> Any:
    """The value at a dotted key; the empty key is the whole configuration."""
    value: Any = config
    for part in key.split(".") if key else ():
        value = value[part]
    return value
