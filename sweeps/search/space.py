"""Hydra overrides -> axes. Pure: text in, values out."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hydra.core.override_parser.types import (
    ChoiceSweep,
    IntervalSweep,
    Override,
    RangeSweep,
    ValueType,
)

from sweeps.errors import UserError
from sweeps.naming import label

DRAWN_DIGITS = 4
"""Significant digits of a drawn number: so names and commands stay short, and are exact."""


@dataclass(frozen=True)
class Value:
    """One setting of an axis."""

    override: str
    """As Hydra reads it: `model.cell=lstm`."""
    label: str
    """As names and tables show it: `lstm`."""


@dataclass(frozen=True)
class Interval:
    """All numbers from start to end, both included."""

    start: float
    end: float
    log: bool = False
    """Uniform in the logarithm."""
    integer: bool = False

    def at(self, share: float) -> float:
        """The number that has this share (0 to 1) of the interval's weight below it."""
        start, end = self.start, self.end
        if self.integer:  # each whole number has a span of its own
            start, end = start - 0.5, end + 0.5
        if self.log:
            number = math.exp(math.log(start) + share * (math.log(end) - math.log(start)))
        else:
            number = start + share * (end - start)
        return self.rounded(number)

    def rounded(self, number: float) -> float:
        """The number as a trial takes it: within the interval, short to write down."""
        number = min(max(number, self.start), self.end)
        if self.integer:
            return round(number)
        short = float(f"{number:.{DRAWN_DIGITS}g}")
        return short if self.start <= short <= self.end else number


@dataclass(frozen=True)
class Axis:
    """A swept option or configuration group: a list of values, or an interval of numbers."""

    key: str
    """In full, without Hydra's `+`: `model.rnn_size`."""
    values: tuple[Value, ...]
    interval: Interval | None = None
    element: str = ""
    """The key as overrides write it, `+` included."""

    def number(self, number: float) -> Value:
        """The setting at a number of the interval."""
        return Value(f"{self.element}={number!r}", label(number))


@dataclass(frozen=True)
class Space:
    """What a sweep varies, in order, and the overrides that all its trials share."""

    axes: tuple[Axis, ...]
    fixed: tuple[str, ...]


def build_space(params: Sequence[Override], arguments: Sequence[Override]) -> Space:
    """Join a sweep file's overrides with the command line's, which win key by key.

    A key that both name keeps its place among the axes if it still is one.

    Raises:
      UserError: an axis has no values, or an interval none that it could be.
    """
    merged: dict[str, Override] = {}
    for override in [*params, *arguments]:
        merged[_bare_key(override)] = override
    axes = [_axis(key, item) for key, item in merged.items() if item.is_sweep_override()]
    fixed = [_fixed(item) for item in merged.values() if not item.is_sweep_override()]
    return Space(tuple(axes), tuple(fixed))


def param_override(key: str, value: Any) -> str:
    """A sweep file's entry as an override: `model.rnn_size: 128,192` -> `model.rnn_size=128,192`.

    Text is Hydra's override grammar; any other YAML value is one fixed value.
    """
    if isinstance(value, str):
        return f"{key}={value}"
    return f"{key}={Override._get_value_element_as_str(value)}"


def _bare_key(override: Override) -> str:
    package = f"@{override.package}" if override.package is not None else ""
    return override.key_or_group + package


def _fixed(override: Override) -> str:
    if override.value_type is None or override.is_delete():
        return str(override.input_line)
    return f"{override.get_key_element()}={override.get_value_element_as_str()}"


def _axis(key: str, override: Override) -> Axis:
    element = override.get_key_element()
    sweep = override.value()
    if override.value_type is ValueType.INTERVAL_SWEEP:
        assert isinstance(sweep, IntervalSweep)
        return Axis(key, (), _interval(override, sweep), element)
    shuffled = False
    if isinstance(sweep, ChoiceSweep | RangeSweep) and sweep.shuffle:
        shuffled = True  # here, as Hydra would draw another order at each look
        override = replace(override, _value=replace(sweep, shuffle=False))
    values = [
        Value(f"{element}={text}", label(item))
        for text, item in zip(
            override.sweep_string_iterator(), override.sweep_iterator(), strict=True
        )
    ]
    if not values:
        raise UserError(f"{override.input_line} matches no value; check its spelling.")
    if shuffled:
        random.Random(key).shuffle(values)
    return Axis(key, tuple(values), element=element)


def _interval(override: Override, sweep: IntervalSweep) -> Interval:
    start, end = sweep.start, sweep.end
    assert start is not None
    assert end is not None
    integer = isinstance(start, int) and isinstance(end, int)
    interval = Interval(start, end, log="log" in sweep.tags, integer=integer)
    if not (math.isfinite(start) and math.isfinite(end) and start < end):
        raise UserError(f"{override.input_line} is empty; its end must be above its start.")
    if interval.log and start <= 0:
        raise UserError(f"{override.input_line} has no logarithm at {start}; start above 0.")
    return interval
