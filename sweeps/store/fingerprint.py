"""What all trials of a sweep have in common, so that two different sweeps never share a folder.

The *base* is what the trials' identities agree on, flattened to dotted keys, without what is swept.
Pure: values in, values out.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

FlatConfig = dict[str, Any]


def common_config(identities: Iterable[Mapping[str, Any]], axes: Sequence[str]) -> FlatConfig:
    """What the identities agree on, without what belongs to an axis."""
    common: FlatConfig | None = None
    for identity in identities:
        found = _plain(_flat(identity))
        common = found if common is None else intersection(common, found)
    return {key: value for key, value in (common or {}).items() if not _swept(key, axes)}


def intersection(one: FlatConfig, other: FlatConfig) -> FlatConfig:
    """The entries that both have."""
    return {key: value for key, value in one.items() if key in other and other[key] == value}


def conflicts(old: FlatConfig, new: FlatConfig, axes: Sequence[str]) -> list[str]:
    """Keys to which the two give different values, though no axis of either sweeps them."""
    return [
        key
        for key, value in old.items()
        if key in new and new[key] != value and not _swept(key, axes)
    ]


def _swept(key: str, axes: Sequence[str]) -> bool:
    """Whether an axis is this option, or the group or section that holds it."""
    for axis in axes:
        section = re.sub("[/@:]", ".", axis.rpartition("@")[2])
        if f"{key}.".startswith(f"{section}."):
            return True
    return False


def _flat(values: Mapping[str, Any], prefix: str = "") -> FlatConfig:
    flat: FlatConfig = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _plain(flat: FlatConfig) -> FlatConfig:
    """As they read back from a file, so that old and new compare."""
    plain = json.loads(json.dumps(flat))
    assert isinstance(plain, dict)
    return plain


def fingerprint(identity: Mapping[str, Any]) -> str:
    """SHA-256, in hex, of the canonical JSON of what defines a result."""
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
