"""Token ids on disk: a text is cut and numbered once a machine, then mapped from the cache folder.

An entry is a folder, named by a hash of all that its content depends on. It appears in one step, so
no process meets half of one. It holds checksums, and a damaged entry counts as missing.
"""

import hashlib
import inspect
import logging
import os
import shutil
import time
import unicodedata
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lm.data.vocabulary import Vocabulary
from sweeps.errors import UserError
from sweeps.io.atomic import read_json, write_json
from sweeps.io.cache_dir import cache_dir
from sweeps.store import fingerprint

log = logging.getLogger(__name__)

Splits = Mapping[str, NDArray[np.int32]]
"""Ids of train, valid and test."""

UNUSED_DAYS = 30
"""Days without use after which an entry is deleted."""

_SPLITS = ("train", "valid", "test")


def cache_path(*, modules: Iterable[ModuleType], **content: Any) -> Path:
    """The folder of an entry.

    Args:
      modules: whose code decides the ids; with other code, the entry is another one.
      content: all else that the ids depend on, besides Python's Unicode tables.
    """
    code = hashlib.sha256("".join(map(inspect.getsource, modules)).encode())
    facts = {**content, "code": code.hexdigest(), "unicode": unicodedata.unidata_version}
    return cache_dir() / "tokens" / fingerprint(facts)[:32]


def load(folder: Path) -> tuple[Splits, Vocabulary] | None:
    """Map the ids of an entry into memory, read-only; None where it is missing or damaged."""
    sums = read_json(folder / "sums.json")
    try:
        if sums is None or sums != _checksums(folder):
            return None
        # A plain array: what is computed from a memmap would call itself one, too.
        splits = {name: np.asarray(np.load(folder / f"{name}.npy", "r")) for name in _SPLITS}
        vocabulary = Vocabulary.load(folder / "vocab.tsv")
    except (OSError, ValueError, UserError):
        return None
    with suppress(OSError):
        os.utime(folder)
    return splits, vocabulary


def store(folder: Path, splits: Splits, vocabulary: Vocabulary) -> None:
    """Write an entry, and delete those that are long unused; a failure is logged, not raised."""
    beside = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        beside.mkdir(parents=True, exist_ok=True)
        for name in _SPLITS:
            np.save(beside / f"{name}.npy", splits[name])
        vocabulary.save(beside / "vocab.tsv")
        write_json(beside / "sums.json", _checksums(beside))
        shutil.rmtree(folder, ignore_errors=True)  # a damaged one
        beside.replace(folder)
        _delete_unused(folder.parent)
    except (OSError, UserError) as error:
        log.warning("The text's ids are not kept: %s", error)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _checksums(folder: Path) -> dict[str, str]:
    sums = {}
    for name in (*(f"{split}.npy" for split in _SPLITS), "vocab.tsv"):
        with (folder / name).open("rb") as file:
            sums[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return sums


def _delete_unused(root: Path) -> None:
    for folder in root.iterdir():
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > UNUSED_DAYS * 86400:
                shutil.rmtree(folder)
