"""Compilation times that the program recorded in the trials' `provenance.json`.

`compile_seconds` is the time. `compile_cache` is `hit`, `miss`, or `kept` where the worker had
compiled the program for an earlier trial. The trials of a pack share both; `pack` has its name.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sweeps.store.provenance import read_provenance


class CompileTime(NamedTuple):
    """Compilation of one trial."""

    seconds: float | None = None
    """None: nothing is recorded."""
    cache: str = ""
    """`hit`, `miss`, `kept`, or empty: nothing is recorded."""
    pack: str = ""
    """Name of the pack that was compiled for; the trial's own name where it trained alone."""


def read_compile_time(directory: Path) -> CompileTime:
    """Read a trial's compilation time."""
    facts = read_provenance(directory).facts
    seconds = facts.get("compile_seconds")
    pack = str(facts.get("pack") or directory.name)
    cache = str(facts.get("compile_cache") or "")
    return CompileTime(seconds=seconds, cache=cache, pack=pack)


def total_compile_time(trials: Sequence[CompileTime]) -> str:
    """Sum the times up: `12.3 s in 8 trials, 6 from the cache`; empty: none is recorded."""
    known = [one for one in trials if one.seconds is not None]
    if not known:
        return ""
    once = {one.pack: one.seconds or 0.0 for one in known}
    kept, hits = (sum(one.cache == cache for one in known) for cache in ("kept", "hit"))
    count = len(known) - kept
    text = f"{sum(once.values()):.1f} s in {count} trial{'' if count == 1 else 's'}"
    text += f", {hits} from the cache"
    return f"{text}, {kept} kept by their workers" if kept else text
