"""The search space: Hydra overrides are read into axes. Pure."""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hydra.core.override_parser.types import (
    ChoiceSweep,
    IntervalSweep,
    Override,
    RangeSweep,
    ValueType,
)

from sweeps.config.application import PARAMS
from sweeps.config.grammar import parse_override, quoted
from sweeps.errors import UserError
from sweeps.naming import label

DRAWN_DIGITS = 4
"""Significant digits of a drawn number, so that names and commands are short and exact."""


@dataclass(frozen=True)
class Value:
    """One value of an axis."""

    override: str
    """The value as an override: `model.cell=lstm`."""
    label: str
    """The value as names and tables show it: `lstm`."""


@dataclass(frozen=True)
class Interval:
    """All numbers from `start` to `end`, both included."""

    start: float
    end: float
    log: bool = False
    """Whether draws are uniform in the logarithm."""
    integer: bool = False
    """Whether draws are whole numbers."""

    def quantile(self, share: float) -> float:
        """Return the number below which this share (0 to 1) of the draws lies."""
        start, end = self.start, self.end
        if self.integer:  # each whole number has the same share
            start, end = start - 0.5, end + 0.5
        if self.log:
            number = math.exp(math.log(start) + share * (math.log(end) - math.log(start)))
        else:
            number = start + share * (end - start)
        return self.rounded(number)

    def rounded(self, number: float) -> float:
        """Return the nearest number within the interval that has few digits."""
        number = min(max(number, self.start), self.end)
        if self.integer:
            return round(number)
        short = float(f"{number:.{DRAWN_DIGITS}g}")
        return short if self.start <= short <= self.end else number


@dataclass(frozen=True)
class Axis:
    """A swept option or configuration group: a list of values, or an interval of numbers."""

    key: str
    """Key in full, without Hydra's `+`: `model.rnn_size`."""
    values: tuple[Value, ...]
    """Listed values; none with an interval."""
    interval: Interval | None = None
    override_key: str = ""
    """The key as overrides write it, `+` included."""

    def value_at(self, number: float) -> Value:
        """Return a number of the interval as a value."""
        return Value(override=f"{self.override_key}={number!r}", label=label(number))


@dataclass(frozen=True)
class Space:
    """The axes of a sweep, in order, and the overrides that all its trials share."""

    axes: tuple[Axis, ...]
    fixed: tuple[str, ...]
    """Overrides, as Hydra reads them."""


def build_space(params: Sequence[Override], arguments: Sequence[Override]) -> Space:
    """Join a sweep file's overrides with the command line's, which win key by key.

    A key that both name keeps its position among the axes if it still is one.

    Args:
      params: overrides of the sweep file.
      arguments: overrides of the command line.

    Raises:
      UserError: an axis has no values, or an interval is empty.
    """
    merged: dict[str, Override] = {}
    for override in [*params, *arguments]:
        merged[_bare_key(override)] = override
    axes = [_axis(key, item) for key, item in merged.items() if item.is_sweep_override()]
    fixed = [_fixed(item) for item in merged.values() if not item.is_sweep_override()]
    return Space(tuple(axes), tuple(fixed))


def param_override(key: str, value: Any) -> str:
    """Return a sweep file's entry as an override: `size: 128,192` -> `size=128,192`.

    Text is Hydra's override grammar; any other YAML value is one fixed value, a list or a mapping
    as well, and text in these is meant as it stands.

    Raises:
      UserError: the value is of a type that no override has, as YAML's binary data is.
    """
    return f"{key}={value if isinstance(value, str) else in_grammar(key, value)}"


def in_grammar(key: str, value: Any) -> str:
    """Return a YAML value, of a key of a sweep file, in Hydra's grammar.

    Raises:
      UserError: it is of a type that no override has, as YAML's binary data is.
    """
    if isinstance(value, Mapping):
        items = (f"{_text(str(name))}:{in_grammar(key, one)}" for name, one in value.items())
        return f"{{{','.join(items)}}}"
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return f"[{','.join(in_grammar(key, one) for one in value)}]"
    if isinstance(value, str):
        return _text(value)
    if value is None or isinstance(value, bool | int | float):
        return Override._get_value_element_as_str(value)
    raise UserError(
        f"{PARAMS} has {key}: {value!r}, of YAML's type {type(value).__name__}, which no option "
        "takes; write text or a number."
    )


def _text(text: str) -> str:
    """Text as the grammar reads it: between quotes where it would read something else."""
    try:
        found = parse_override(f"k={text}").value()
    except UserError:
        return quoted(text)
    is_read = isinstance(found, str) and found == text
    # A backslash at the end of a text would escape what follows it in a list.
    return text if text and is_read and not text.endswith("\\") else quoted(text)


def _bare_key(override: Override) -> str:
    package = f"@{override.package}" if override.package is not None else ""
    return override.key_or_group + package


def _fixed(override: Override) -> str:
    if override.value_type is None or override.is_delete():
        return str(override.input_line)
    return f"{override.get_key_element()}={override.get_value_element_as_str()}"


def _axis(key: str, override: Override) -> Axis:
    override_key = override.get_key_element()
    sweep = override.value()
    if override.value_type is ValueType.INTERVAL_SWEEP:
        assert isinstance(sweep, IntervalSweep)
        return Axis(
            key=key, values=(), interval=_interval(override, sweep), override_key=override_key
        )
    shuffled = False
    if isinstance(sweep, ChoiceSweep | RangeSweep) and sweep.shuffle:
        shuffled = True  # below, since Hydra would draw another order at each reading
        override = replace(override, _value=replace(sweep, shuffle=False))
    values = [
        Value(override=f"{override_key}={text}", label=label(item))
        for text, item in zip(
            override.sweep_string_iterator(), override.sweep_iterator(), strict=True
        )
    ]
    if not values:
        raise UserError(f"{override.input_line} matches no value; check its spelling.")
    if shuffled:
        random.Random(key).shuffle(values)
    return Axis(key=key, values=tuple(values), override_key=override_key)


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
