"""The hyperparameters that population based training changes."""

from collections.abc import Mapping
from typing import Any

PopulationValues = Mapping[str, float]
"""Option in full -> number."""


def population_values(config: Mapping[str, Any], changes: str, keys: list[str]) -> dict[str, float]:
    """The numbers that a configuration ends with, its changes included."""
    values = {key: value_at(config, key) for key in keys}
    for change in value_at(config, changes):
        values |= {key: change[key] for key in keys if change.get(key) is not None}
    return values


def value_at(config: Mapping[str, Any], key: str) -> Any:
    value: Any = config
    for part in key.split(".") if key else ():
        value = value[part]
    return value
