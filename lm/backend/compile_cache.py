"""JAX's persistent cache: each program is compiled once on a machine; and where one came from.

A cached program gives the same bits as the one that was compiled. The cache never stops a trial:
where it cannot be used, programs are compiled as without it, and the log says so.
"""

import hashlib
import logging
import os
import re
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import jax

from lm.backend.devices import processor, surroundings
from sweeps.io.cache_dir import cache_dir

log = logging.getLogger(__name__)

LIMIT = 2**28
"""Bytes of a folder; a trial's programs take 0.3 MB. The longest unused go first."""

_TROUBLE = "Error (reading|writing) persistent compilation cache entry for '(.*)': (.*)"
"""JAX's warnings; each is followed by a plain compilation."""

_UNHARMED = ("OSError", "PermissionError", "FileNotFoundError", "Timeout")
"""Errors in reading an entry that say nothing against its content."""


def use_cache() -> None:
    """Take compiled programs from the cache folder, and keep new ones there.

    A cache that the user has set up for JAX is left as it is. JAX keeps apart versions, flags,
    devices and instruction sets, but neither numbers of threads, for which XLA may compile
    differently, nor all processors of machines that share a home: each has a folder of its own.
    """
    if _folder() is not None:
        return
    folder = cache_dir() / "compiled" / f"{_processor()}-{surroundings()['cpus']}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe.{os.getpid()}"
        probe.write_bytes(b"0")
        probe.unlink()
        _drop_halves(folder, age=60.0)  # not one just being written
    except OSError as error:
        log.warning("Compiled programs are not kept: %s.", error)
        return
    # What goes wrong with an entry is no user's business; `watch` tells it in one sentence.
    warnings.filterwarnings("ignore", message=_TROUBLE)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    jax.config.update("jax_compilation_cache_max_size", LIMIT)  # several processes lock it then
    jax.config.update("jax_compilation_cache_dir", str(folder))


class Compiling:
    """Counts compilations, for `watch`."""

    def __init__(self) -> None:
        self._programs = self._hits = self._stored = 0

    @property
    def origin(self) -> str:
        """`kept`: this process had the programs; `hit`: all came from the cache; `miss`: compiled
        and stored; `off`: compiled without a cache."""
        if not self._programs:
            return "kept"
        if self._hits == self._programs:
            return "hit"
        return "miss" if self._hits + self._stored == self._programs else "off"

    def not_stored(self) -> None:
        """Take back the event of a program that JAX could not store."""
        self._stored -= 1

    def count(self, event: str, *seconds: float, **facts: Any) -> None:
        """Take an event of `jax.monitoring`."""
        self._programs += event == "/jax/core/compile/backend_compile_duration"
        self._hits += event == "/jax/compilation_cache/cache_hits"
        self._stored += event == "/jax/compilation_cache/cache_misses"  # told as it stores one


@contextmanager
def watch() -> Iterator[Compiling]:
    """Find out where the programs that a block compiles come from; says what the cache suffers."""
    compiling = Compiling()
    jax.monitoring.register_event_listener(compiling.count)
    jax.monitoring.register_event_duration_secs_listener(compiling.count)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.filterwarnings("always", message=_TROUBLE)
            yield compiling
    finally:
        jax.monitoring.unregister_event_listener(compiling.count)
        jax.monitoring.unregister_event_duration_listener(compiling.count)
    for found in caught:
        if trouble := re.match(_TROUBLE, str(found.message), re.DOTALL):
            _tell(compiling, *trouble.groups())
        else:
            warnings.warn_explicit(found.message, found.category, found.filename, found.lineno)


def _tell(compiling: Compiling, doing: str, program: str, reason: str) -> None:
    line, folder = reason.strip().partition("\n")[0], _folder()
    assert folder
    if doing == "writing":
        compiling.not_stored()
        log.warning("The compiled program %s is not kept: %s", program, line)
        _drop_halves(folder, age=0.0)
        return
    log.warning("The compiled program %s cannot be read and is made anew: %s", program, line)
    if not line.startswith(_UNHARMED):  # JAX would leave it there for ever
        for path in folder.glob(f"{program}-*"):
            path.unlink(missing_ok=True)


def _folder() -> Path | None:
    folder: str | None = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    return None if folder is None else Path(folder)


def _drop_halves(folder: Path, age: float) -> None:
    """Delete what a full disk or a killed process left of a program, if older than so many seconds.

    JAX writes the time of use after the program, and stores nothing any more where one is missing.
    """
    names = {path.name for path in folder.glob("*-*")}
    for name in names:
        if name.endswith("-cache") and f"{name.removesuffix('-cache')}-atime" not in names:
            with suppress(FileNotFoundError):
                if time.time() - (folder / name).stat().st_mtime >= age:
                    (folder / name).unlink()


def _processor() -> str:
    """Short hash of the processor's model and instruction sets."""
    return hashlib.sha256("\n".join(sorted(processor())).encode()).hexdigest()[:12]
