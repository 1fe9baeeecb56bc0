"""The TensorBoard runs below a folder, and a folder of links to those whose names match."""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

ROOT = "."
"""The name of a run whose files lie in the folder itself."""


def find_runs(folder: Path) -> dict[str, list[str]]:
    """Return the runs below a folder: name, as TensorBoard shows it -> names of its event files."""
    runs: dict[str, list[str]] = {}
    seen: set[str] = set()
    for path, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(path)
        if real in seen:  # a link led to it, or to a folder above it
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        if events := [name for name in files if "tfevents" in name]:
            runs[Path(path).relative_to(folder).as_posix()] = events
    return runs


class FilteredLogdir:
    """A temporary log directory of links to the runs that match; `refresh` brings it up to date.

    It also has the runs in the folders above a run that matches: earlier versions wrote the charts
    of a sweep into one of its own.
    """

    def __init__(self, folder: Path, matches: Callable[[str], bool]) -> None:
        self._folder = folder.resolve()
        self._matches = matches
        self._links: dict[str, Path] = {}

    def __enter__(self) -> Self:
        self.path = Path(tempfile.mkdtemp(prefix="board-"))
        return self

    def __exit__(self, *error: object) -> None:
        shutil.rmtree(self.path)  # links to folders are removed, not followed

    def refresh(self) -> dict[str, list[str]]:
        """Bring the links up to date, and return the linked runs: name -> names of event files."""
        runs = find_runs(self._folder)
        kept = filter_runs(runs, self._matches)
        links = self._wanted(kept, runs)
        for name in self._links.keys() - links.keys():
            (self.path / name).unlink()
        for name in links.keys() - self._links.keys():
            link = self.path / name
            link.parent.mkdir(parents=True, exist_ok=True)
            if link.is_dir():  # a folder of this class, left empty by runs that are gone
                shutil.rmtree(link)
            link.symlink_to(links[name])
        self._links = links
        return kept

    def _wanted(self, kept: Mapping[str, list[str]], runs: Mapping[str, object]) -> dict[str, Path]:
        """Return path of each link -> what it links to."""
        above = {parent for name in runs for parent in _parents(name)}
        links: dict[str, Path] = {}
        for name, files in kept.items():
            if name in above:  # a link to its folder would add the runs below it
                links |= {f"{name}/{file}": self._folder / name / file for file in files}
            else:
                links[name] = self._folder / name
        return links


def filter_runs(
    runs: Mapping[str, list[str]], matches: Callable[[str], bool]
) -> dict[str, list[str]]:
    """Return the runs that match, and the runs in the folders above them."""
    found = {name for name in runs if matches(name)}
    found |= {parent for name in found for parent in _parents(name)}
    return {name: files for name, files in runs.items() if name in found}


def _parents(name: str) -> list[str]:
    """Return the names of the folders above a run, the root included."""
    parts = name.split("/")
    return [ROOT, *("/".join(parts[:size]) for size in range(1, len(parts)))]
