"""Where files are cached between processes."""

import os
import re
from pathlib import Path


def cache_dir() -> Path:
    """`$XDG_CACHE_HOME/lm-sweeps`, or `~/.cache/lm-sweeps` (XDG base directory specification)."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The specification tells programs to ignore a relative path.
    root = Path(base) if os.path.isabs(base) else Path("~/.cache").expanduser()
    return root / "lm-sweeps"


def local_folder(url: str) -> Path:
    """Where this machine keeps its copy of what is at a URL."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "sweeps" / re.sub(r"[^A-Za-z0-9._-]+", "_", url.rstrip("/"))
