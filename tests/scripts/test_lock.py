"""The locks hold versions for any index, of everything that the project asks for."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from scripts.lock import LOCKS, ROOT, main

every_lock = pytest.mark.parametrize("python", LOCKS, ids="{0[0]}.{0[1]}".format)


def read(python: tuple[int, int]) -> tuple[str, list[str]]:
    """The comment and the pinned versions of a lock."""
    comment, *pinned = (ROOT / LOCKS[python][0]).read_text().splitlines()
    return comment, pinned


@every_lock
def test_lock_has_names_and_versions_alone(python: tuple[int, int]) -> None:
    _, pinned = read(python)
    odd = [line for line in pinned if not re.fullmatch(r"[\w.-]+==\d[\w.]*", line)]
    assert odd == []
    names = [canonicalize_name(line.split("==")[0]) for line in pinned]
    assert len(set(names)) == len(names)


@every_lock
def test_lock_holds_what_the_project_asks_for_within_its_ranges(python: tuple[int, int]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = list(project["dependencies"])
    for extra in LOCKS[python][1].split(","):
        asked += project["optional-dependencies"][extra]
    pinned = dict(line.split("==") for line in read(python)[1])
    versions = {canonicalize_name(name): version for name, version in pinned.items()}
    for requirement in map(Requirement, asked):
        assert versions[canonicalize_name(requirement.name)] in requirement.specifier, requirement


@every_lock
def test_lock_says_which_command_makes_it(python: tuple[int, int]) -> None:
    comment, _ = read(python)
    name = "python{}.{}".format(*python)
    assert re.match(rf"# Made by `{re.escape(name)} scripts/lock\.py[^`]*`; ", comment)


def test_locks_are_of_the_oldest_python_and_the_newest_that_the_project_names() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = re.findall(r"Python :: (\d+)\.(\d+)'", str(project["classifiers"]))
    versions = sorted((int(major), int(minor)) for major, minor in named)
    assert sorted(LOCKS) == [versions[0], versions[-1]]
    oldest, before = ("{}.{}".format(*python) for python in (versions[0], (3, versions[0][1] - 1)))
    supported = SpecifierSet(project["requires-python"])
    assert oldest in supported
    assert before not in supported


def test_other_pythons_write_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("scripts.lock.ROOT", tmp_path)
    monkeypatch.setattr("sys.version_info", (3, 12, 1))
    with pytest.raises(SystemExit, match=r"run this with python3\.11 or python3\.13; "):
        main([])
    assert list(tmp_path.iterdir()) == []


def test_continuous_integration_installs_every_lock() -> None:
    commands = (ROOT / ".ci" / "run").read_text()
    assert all(f" {lock}\n" in commands for lock, _ in LOCKS.values())
