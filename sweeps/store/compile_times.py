"""What trials recorded of their compilation in `provenance.json`, in their program's own words.

`compile_seconds`, and `compile_cache`: `hit`, `miss`, or `kept` by a worker that had compiled the
same before. Trials of one pack share both; its name is under `pack`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sweeps.io.atomic import read_json


class Compiling(NamedTuple):
    """Of one trial; empty where it recorded nothing."""

    seconds: float | None = None
    cache: str = ""
    pack: str = ""
    """Names what was compiled: that of another trial only where both trained together."""


def read_compiling(directory: Path) -> Compiling:
    """What a trial recorded."""
    facts = read_json(directory / "provenance.json") or {}
    seconds = facts.get("compile_seconds")
    pack = str(facts.get("pack") or directory.name)
    return Compiling(seconds, str(facts.get("compile_cache") or ""), pack)


def in_total(trials: Sequence[Compiling]) -> str:
    """`12.3 s in 8 trials, 6 from the cache`; empty where no trial recorded any."""
    known = [one for one in trials if one.seconds is not None]
    if not known:
        return ""
    once = {one.pack: one.seconds or 0.0 for one in known}
    kept, hits = (sum(one.cache == cache for one in known) for cache in ("kept", "hit"))
    count = len(known) - kept
    text = f"{sum(once.values()):.1f} s in {count} trial{'' if count == 1 else 's'}"
    text += f", {hits} from the cache"
    return f"{text}, {kept} kept by their workers" if kept else text
