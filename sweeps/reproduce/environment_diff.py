"""What is no longer as it was when a trial ran: code, packages, machine. Pure.

Each difference is one line, `what: recorded, now other`.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from sweeps.store.provenance import Provenance

Facts = Mapping[str, Any]

UNKNOWN = "not recorded"


def code_changes(recorded: Provenance, now: Provenance) -> list[str]:
    """Commit and uncommitted changes that differ."""
    old, new = (place.facts.get("git") or {} for place in (recorded, now))
    lines = _line("code", _commit(old), _commit(new))
    if recorded.diff.strip() != now.diff.strip():
        # Two patches may read alike here: as many lines of the same files.
        lines += _line("uncommitted changes", _diff(recorded.diff), _diff(now.diff), always=True)
    return [*lines, *_line("untracked files", _untracked(old), _untracked(new))]


def package_changes(recorded: Facts, now: Facts) -> list[str]:
    """Packages whose version differs, that are missing now, or that are new; by name."""
    old, new = ({key.lower(): facts[key] for key in facts} for facts in (recorded, now))
    if not old:
        return [f"packages: {UNKNOWN}"]
    lines: list[str] = []
    for name in sorted({*old, *new}):
        lines += _line(name, old.get(name, "not installed"), new.get(name, "not installed"))
    return lines


def machine_changes(recorded: Facts, now: Facts, keys: Iterable[str]) -> list[str]:
    """Single facts that differ."""
    lines: list[str] = []
    for key in keys:
        lines += _line(key, _word(recorded, key), _word(now, key))
    return lines


def environment_changes(recorded: Facts | None, now: Facts | None) -> list[str]:
    """Environment variables that differ."""
    if recorded is None:
        return [f"environment: {UNKNOWN}"]
    lines: list[str] = []
    for name in sorted({*recorded, *(now or {})}):
        lines += _line(name, recorded.get(name, "not set"), (now or {}).get(name, "not set"))
    return lines


def _line(what: str, old: str, new: str, always: bool = False) -> list[str]:
    return [f"{what}: {old}, now {new}"] if always or old != new else []


def _commit(git: Facts) -> str:
    return str(git.get("commit") or UNKNOWN)[:12]


def _untracked(git: Facts) -> str:
    return ", ".join(sorted(git.get("untracked") or [])) or "none"


def _word(facts: Facts, key: str) -> str:
    value = facts.get(key)
    return UNKNOWN if value is None else str(value)


def _diff(text: str) -> str:
    """Which files a patch changes, and by how many lines."""
    if not text.strip():
        return "none"
    files = re.findall(r"^diff --git a/.* b/(.*)$", text, re.MULTILINE)
    lines = len(re.findall(r"^[+-](?![+-]{2} )", text, re.MULTILINE))
    return f"{lines} lines of {', '.join(files) or 'a patch'}"
