"""Differences of code, packages, machine and environment since a trial ran. Pure.

Each difference is one line, `NAME: RECORDED, now OTHER`.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from sweeps.store import Provenance
from sweeps.store.provenance import changed_files

Facts = Mapping[str, Any]
"""Facts of a trial's provenance, by name."""

UNKNOWN = "not recorded"
"""Text for a fact that a trial does not have."""


def code_changes(recorded: Provenance, now: Provenance) -> list[str]:
    """Return the differences of commit, uncommitted changes and untracked files."""
    old, new = (provenance.facts.get("git") or {} for provenance in (recorded, now))
    lines = _line("code", _commit(old), _commit(new))
    files = (provenance.facts.get("files") or {} for provenance in (recorded, now))
    lines += [f"{name}: edited since" for name in changed_files(*files)]
    if recorded.diff.strip() != now.diff.strip():
        # Two patches may read alike here: as many lines of the same files.
        lines += _line("uncommitted changes", _diff(recorded.diff), _diff(now.diff), always=True)
    return [*lines, *_line("untracked files", _untracked(old), _untracked(new))]


def package_changes(recorded: Facts, now: Facts) -> list[str]:
    """Return the packages whose version differs, that are missing or that are new, by name."""
    old, new = ({key.lower(): facts[key] for key in facts} for facts in (recorded, now))
    if not old:
        return [f"packages: {UNKNOWN}"]
    lines: list[str] = []
    for name in sorted({*old, *new}):
        lines += _line(name, old.get(name, "not installed"), new.get(name, "not installed"))
    return lines


def machine_changes(recorded: Facts, now: Facts, keys: Iterable[str]) -> list[str]:
    """Return the differences of some facts.

    Args:
      recorded: facts of the earlier run.
      now: facts of the later run.
      keys: names of the facts to compare.
    """
    lines: list[str] = []
    for key in keys:
        lines += _line(key, _fact(recorded, key), _fact(now, key))
    return lines


def environment_changes(recorded: Facts | None, now: Facts | None) -> list[str]:
    """Return the environment variables that differ."""
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
    names = git.get("untracked")
    return ", ".join(sorted(names)) if names and isinstance(names, list) else "none"


def _fact(facts: Facts, key: str) -> str:
    value = facts.get(key)
    return UNKNOWN if value is None else str(value)


def _diff(text: str) -> str:
    """Return how many lines of which files a patch changes."""
    if not text.strip():
        return "none"
    files = re.findall(r"^diff --git a/.* b/(.*)$", text, re.MULTILINE)
    lines = len(re.findall(r"^[+-](?![+-]{2} )", text, re.MULTILINE))
    return f"{lines} lines of {', '.join(files) or 'a patch'}"
