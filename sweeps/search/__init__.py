"""The search space, and grid and random search over it."""

from sweeps.search.command_line import read_space
from sweeps.search.samplers import (
    Dimension,
    Setting,
    all_settings,
    count_settings,
    dimensions,
    exclusion_rule,
    first_positions,
    position_of,
    setting_at,
)
from sweeps.search.space import Axis, Interval, Space, Value, build_space, param_override

__all__ = [
    "Axis",
    "Dimension",
    "Interval",
    "Setting",
    "Space",
    "Value",
    "all_settings",
    "build_space",
    "count_settings",
    "dimensions",
    "exclusion_rule",
    "first_positions",
    "param_override",
    "position_of",
    "read_space",
    "setting_at",
]
