"""Source code as a text: which files of a folder, and in which order."""

import hashlib
import math
import os
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path

from lm.data.text_files import join, read_text
from sweeps.errors import UserError

LANGUAGES = ((".c", ".h"), (".py",))
"""Suffixes of each language's files."""

SKIPPED = frozenset(("__pycache__", "dist-packages", "site-packages", "test", "tests"))
"""Folders left out: other people's packages, and tests, which repeat themselves."""


def standard_library() -> Path:
    """The folder of Python's own modules: sources that are on every machine."""
    return Path(sysconfig.get_path("stdlib"))


def source_files(places: Sequence[Path]) -> list[Path]:
    """Find source files: the files named, and the sources below the folders named.

    A folder gives its C or its Python sources, whichever are more. They are sorted by a hash of
    their names: then the held-out part resembles the rest, and a part of the text resembles the
    whole. The order does not depend on where the folder lies.

    Raises:
      UserError: a folder has no such files.
    """
    return [path for place in places for path in (_gather(place) if place.is_dir() else [place])]


def read_source_code(places: Sequence[Path], characters: int | None) -> str:
    """Read sources one after another, until there are `characters` of them; None: all.

    Files of a folder that are empty or not UTF-8 are left out.

    Raises:
      UserError: a file that was named is missing or unusable, or no folder has a usable source.
    """
    texts: list[str] = []
    left = math.inf if characters is None else characters
    for text in _texts(places):
        texts.append(text)
        left -= len(text)
        if left <= 0:
            break
    if not texts:
        raise UserError(f"none of the sources in {places[0]} is UTF-8 text; name others.")
    return join(texts)[:characters]


def _texts(places: Sequence[Path]) -> Iterator[str]:
    for place in places:
        if not place.is_dir():
            yield read_text(place)
            continue
        for path in _gather(place):
            try:
                yield read_text(path)
            except UserError:
                continue


def _gather(folder: Path) -> list[Path]:
    files = list(_below(folder))
    found = ([path for path in files if path.suffix in suffixes] for suffixes in LANGUAGES)
    chosen = max(found, key=len)
    if not chosen:
        raise UserError(f"{folder} has no C or Python sources in it; name another, or files.")
    return sorted(chosen, key=lambda path: _hash(path.relative_to(folder)))


def _below(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in SKIPPED and name[0] != "."]
        yield from (Path(parent, name) for name in names)


def _hash(name: Path) -> bytes:
    # A name may be of bytes that are not UTF-8.
    return hashlib.sha256(name.as_posix().encode(errors="surrogateescape")).digest()
