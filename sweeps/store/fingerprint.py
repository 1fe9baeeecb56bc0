"""Fingerprints of trials, and the options that all trials of a sweep agree on.

The *common configuration* keeps two different sweeps out of one folder. It holds what the trials'
identities agree on, by dotted key, without the swept options. All functions are pure.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

FlatConfig = dict[str, Any]
"""Dotted key -> value."""


def common_config(identities: Iterable[Mapping[str, Any]], axes: Sequence[str]) -> FlatConfig:
    """Entries that all identities agree on, without those that an axis sweeps.

    Args:
      identities: what defines the result of each trial.
      axes: swept options in full.
    """
    common: FlatConfig | None = None
    for identity in identities:
        found = _plain(_flat(identity))
        common = found if common is None else intersection(common, found)
    return {key: value for key, value in (common or {}).items() if not _swept(key, axes)}


def intersection(one: FlatConfig, other: FlatConfig) -> FlatConfig:
    """Entries that both configurations have with the same value."""
    return {key: value for key, value in one.items() if key in other and other[key] == value}


def conflicts(old: FlatConfig, new: FlatConfig, axes: Sequence[str]) -> list[str]:
    """Keys with different values in the two configurations that no axis sweeps."""
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
    """Values as a JSON file gives them back, so that they compare with those of a file."""
    plain = json.loads(json.dumps(flat))
    assert isinstance(plain, dict)
    return plain


def fingerprint(identity: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON of what defines a result, in hexadecimal."""
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
