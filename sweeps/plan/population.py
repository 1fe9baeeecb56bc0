"""The hyperparameters that population based training changes."""

from collections.abc import Mapping
from typing import Any

Values = Mapping[str, float]
"""Option in full -> number."""


def current(config: Mapping[str, Any], changes: str, keys: list[str]) -> dict[str, float]:
    """The numbers that a configuration ends with, its changes included."""
    values = {key: _at(config, key) for key in keys}
    for change in _at(config, changes):
        values |= {key: change[key] for key in keys if change.get(key) is not None}
    return values


def _at(config: Mapping[str, Any], key: str) -> Any:
    value: Any = config
    for part in key.split(".") if key else ():
        value = value[part]
    return value
