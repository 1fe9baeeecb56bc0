"""Hydra overrides -> axes -> trials, and what a trial is called. Pure: text in, values out."""

import hashlib
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.types import Override, QuotedString, ValueType

from sweeps.errors import UserError

MAX_NAME_BYTES = 180
"""File systems allow 255; what is left is for suffixes such as `.old-<time>`."""


@dataclass(frozen=True)
class Value:
    """One setting of an axis."""

    override: str
    """As Hydra reads it: `model.cell=lstm`."""
    label: str
    """As names and tables show it: `lstm`."""


@dataclass(frozen=True)
class Axis:
    """A swept option or configuration group."""

    key: str
    """In full, without Hydra's `+`: `model.rnn_size`."""
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Space:
    """What a sweep varies, in order, and the overrides that all its trials share."""

    axes: tuple[Axis, ...]
    fixed: tuple[str, ...]

    def grid(self) -> list[tuple[Value, ...]]:
        """Every combination, one value of each axis; the rightmost axis varies fastest."""
        return list(itertools.product(*(axis.values for axis in self.axes)))


def build(params: Sequence[Override], arguments: Sequence[Override]) -> Space:
    """Join a sweep file's overrides with the command line's, which win key by key.

    A key that both name keeps its place among the axes if it still is one.

    Raises:
      UserError: an axis has no end (`interval`) or no values.
    """
    merged: dict[str, Override] = {}
    for override in [*params, *arguments]:
        merged[_bare_key(override)] = override
    axes = [_axis(key, item) for key, item in merged.items() if item.is_sweep_override()]
    fixed = [_fixed(item) for item in merged.values() if not item.is_sweep_override()]
    return Space(tuple(axes), tuple(fixed))


def param_text(key: str, value: Any) -> str:
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
    if override.value_type is ValueType.INTERVAL_SWEEP:
        raise UserError(
            f"{override.input_line} has no end of values, and a grid needs each one; "
            f"list them, as in {key}=0.01,0.1, or step through them with range()."
        )
    values = [
        Value(f"{override.get_key_element()}={text}", label(element))
        for text, element in zip(
            override.sweep_string_iterator(), override.sweep_iterator(), strict=True
        )
    ]
    if not values:
        raise UserError(f"{override.input_line} matches no value; check its spelling.")
    return Axis(key, tuple(values))


def label(value: Any) -> str:
    """A value in its shortest exact form, of the characters [A-Za-z0-9._+-] only.

    Other characters become `_`; four hexadecimal digits then keep apart what would read alike.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, QuotedString):
        return label(value.text)
    if isinstance(value, int | float):
        return repr(value)
    text = value if isinstance(value, str) else Override._get_value_element_as_str(value)
    clean = re.sub(r"[^A-Za-z0-9._+-]", "_", text)
    if clean == text:
        return text
    return f"{clean.strip('_')}-{hashlib.sha256(text.encode()).hexdigest()[:4]}"


def short_keys(keys: Sequence[str]) -> list[str]:
    """The last component of each key; more of them where two would read alike."""
    split = [re.split(r"[./@:]", key) for key in keys]
    return [_shortest_suffix(parts, split) for parts in split]


def _shortest_suffix(parts: list[str], others: list[list[str]]) -> str:
    for size in range(1, len(parts)):
        suffix = parts[-size:]
        if sum(other[-size:] == suffix for other in others) == 1:
            return _clean_key(suffix)
    return _clean_key(parts)


def _clean_key(parts: Iterable[str]) -> str:
    return re.sub(r"[^A-Za-z0-9._+-]", "_", ".".join(parts))


def trial_name(pairs: Mapping[str, str], fingerprint: str, digits: int = 6) -> str:
    """`embed_size=64,rnn_size=192,id=3f2a9c`: each pair ends in a comma, so that the filter
    `learning_rate=0.1,` never matches 0.15; trailing pairs give way where a name gets too long.

    Args:
      pairs: short key -> label, in the axes' order.
      fingerprint: hexadecimal; its first `digits` close the name.
    """
    closing = f"id={fingerprint[:digits]}"
    name = ""
    for key, text in pairs.items():
        if len(name) + len(f"{key}={text},{closing}") > MAX_NAME_BYTES:
            break
        name += f"{key}={text},"
    return name + closing


def digits_needed(fingerprints: Iterable[str], at_least: int = 6) -> int:
    """How many first digits tell all these fingerprints apart."""
    different = set(fingerprints)
    for digits in range(at_least, 64):
        if len({text[:digits] for text in different}) == len(different):
            return digits
    return 64
