"""Folders of the user's cache, where files are kept from one process to the next."""

import os
import re
from pathlib import Path


def cache_dir() -> Path:
    """Return `$XDG_CACHE_HOME/lm-sweeps`, or `~/.cache/lm-sweeps`."""
    return _user_cache() / "lm-sweeps"


def local_folder(url: str) -> Path:
    """Return the folder in which this machine keeps its copy of what is at a URL."""
    return _copies() / re.sub(r"[^A-Za-z0-9._-]+", "_", url.rstrip("/"))


def is_local_copy(folder: Path) -> bool:
    """Return whether a folder lies in this machine's copy of what is at some URL."""
    return folder.resolve().is_relative_to(_copies().resolve())


def _copies() -> Path:
    return _user_cache() / "sweeps"


def _user_cache() -> Path:
    """Return the cache folder that the XDG base directory specification names."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The specification asks programs to ignore a relative path.
    return Path(base) if os.path.isabs(base) else Path("~/.cache").expanduser()
