"""JAX's persistent compilation cache: set it up, repair it, and count its hits.

Each program is compiled once on a machine. A cached program gives the same bits as the compiled
one. The cache never stops a trial: where it cannot be used, programs are compiled without it, and
the log says so.
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

from lm.backend.devices import processor, runtime_environment
from sweeps.io.cache_dir import cache_dir

log = logging.getLogger(__name__)

MAX_CACHE_BYTES = 2**28
"""Size of a folder; a trial's programs take 0.3 MB. The programs unused for longest are deleted
first."""

_CACHE_WARNING = "Error (reading|writing) persistent compilation cache entry for '(.*)': (.*)"
"""JAX's warnings about the cache; after each it compiles as without one."""

_HARMLESS_ERRORS = ("OSError", "PermissionError", "FileNotFoundError", "Timeout")
"""Errors in reading an entry whose content may be sound."""


def use_cache() -> None:
    """Read compiled programs from the cache folder, and store new ones there.

    A cache that the user has set up for JAX is left as it is. JAX's keys differ by version, flags,
    device and instruction set, but not by number of threads, for which XLA may compile differently,
    nor by every model of processor. So each number of threads on each processor has its own folder.
    """
    if _cache_folder() is not None:
        return
    folder = cache_dir() / "compiled" / f"{_processor_hash()}-{runtime_environment()['cpus']}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe.{os.getpid()}"
        probe.write_bytes(b"0")
        probe.unlink()
        _delete_partial_entries(folder, age=60.0)  # not one just being written
    except OSError as error:
        log.warning("Compiled programs are not kept: %s.", error)
        return
    # `record_compilations` logs it in one sentence.
    warnings.filterwarnings("ignore", message=_CACHE_WARNING)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    # A limit makes JAX lock the folder, which several processes need.
    jax.config.update("jax_compilation_cache_max_size", MAX_CACHE_BYTES)
    jax.config.update("jax_compilation_cache_dir", str(folder))


class CompilationStats:
    """Counts compilations, for `record_compilations`."""

    def __init__(self) -> None:
        self._programs = self._hits = self._stored = 0

    @property
    def cache_status(self) -> str:
        """`kept`: this process had the programs already; `hit`: all came from the cache; `miss`:
        compiled and stored; `off`: compiled without a cache."""
        if not self._programs:
            return "kept"
        if self._hits == self._programs:
            return "hit"
        return "miss" if self._hits + self._stored == self._programs else "off"

    def not_stored(self) -> None:
        """Uncount a program that JAX could not store."""
        self._stored -= 1

    def count(self, event: str, *seconds: float, **facts: Any) -> None:
        """Count an event of `jax.monitoring`."""
        self._programs += event == "/jax/core/compile/backend_compile_duration"
        self._hits += event == "/jax/compilation_cache/cache_hits"
        self._stored += event == "/jax/compilation_cache/cache_misses"  # sent as it stores


@contextmanager
def record_compilations() -> Iterator[CompilationStats]:
    """Count the programs that a block compiles or takes from the cache; log the cache's errors."""
    compiling = CompilationStats()
    jax.monitoring.register_event_listener(compiling.count)
    jax.monitoring.register_event_duration_secs_listener(compiling.count)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.filterwarnings("always", message=_CACHE_WARNING)
            yield compiling
    finally:
        jax.monitoring.unregister_event_listener(compiling.count)
        jax.monitoring.unregister_event_duration_listener(compiling.count)
    for found in caught:
        if trouble := re.match(_CACHE_WARNING, str(found.message), re.DOTALL):
            _report(compiling, *trouble.groups())
        else:
            warnings.warn_explicit(found.message, found.category, found.filename, found.lineno)


def _report(compiling: CompilationStats, doing: str, program: str, reason: str) -> None:
    line, folder = reason.strip().partition("\n")[0], _cache_folder()
    assert folder
    if doing == "writing":
        compiling.not_stored()
        log.warning("The compiled program %s is not kept: %s", program, line)
        _delete_partial_entries(folder, age=0.0)
        return
    log.warning("The compiled program %s cannot be read and is made anew: %s", program, line)
    if not line.startswith(_HARMLESS_ERRORS):  # JAX would leave it there for ever
        for path in folder.glob(f"{program}-*"):
            path.unlink(missing_ok=True)


def _cache_folder() -> Path | None:
    folder: str | None = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    return None if folder is None else Path(folder)


def _delete_partial_entries(folder: Path, age: float) -> None:
    """Delete the partial entries that a full disk or a killed process left.

    JAX writes a program's time of use after the program itself. Where one is missing, it stores
    nothing in the folder any more.

    Args:
      folder: of the cache.
      age: seconds; younger entries may be in writing, and stay.
    """
    names = {path.name for path in folder.glob("*-*")}
    for name in names:
        if name.endswith("-cache") and f"{name.removesuffix('-cache')}-atime" not in names:
            with suppress(FileNotFoundError):
                if time.time() - (folder / name).stat().st_mtime >= age:
                    (folder / name).unlink()


def _processor_hash() -> str:
    """Return a short hash of the processor's model and instruction sets."""
    return hashlib.sha256("\n".join(sorted(processor())).encode()).hexdigest()[:12]
