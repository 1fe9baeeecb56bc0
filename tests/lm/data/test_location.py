"""Paths of a text that has moved, in place of those that were recorded."""

from pathlib import Path
from typing import Any

import pytest

from lm.data.location import AS_RECORDED, TextLocation, location_options
from sweeps.errors import UserError


def recorded(name: str = "text", root: str | None = None, *files: str) -> dict[str, Any]:
    return {"seed": 0, "data": {"name": name, "root": root, "files": list(files), "level": "word"}}


def paths(config: dict[str, Any]) -> tuple[str | None, list[str]]:
    return config["data"]["root"], config["data"]["files"]


def test_nothing_changes_unless_asked_for() -> None:
    config = recorded("text", "old", "a.txt")
    assert AS_RECORDED.apply(config) == config
    assert AS_RECORDED.apply({"seed": 0}) == {"seed": 0}  # of another version


def test_files_stand_alone_or_below_the_new_folder(tmp_path: Path) -> None:
    config = recorded("text", "old", "a.txt")
    files = (Path("b.txt"), Path("/c/d.txt"))
    assert paths(TextLocation(None, files).apply(config)) == (None, ["b.txt", "/c/d.txt"])
    (tmp_path / "b.txt").touch()
    assert paths(TextLocation(tmp_path, files).apply(config)) == (
        str(tmp_path),
        ["b.txt", "d.txt"],
    )
    assert paths(config) == ("old", ["a.txt"])


@pytest.mark.parametrize("file", ["a.txt", "old/deep/a.txt", "/old/deep/a.txt", "../a.txt"])
def test_recorded_files_are_found_in_the_new_folder(tmp_path: Path, file: str) -> None:
    new = tmp_path / "new"
    new.mkdir()
    (new / "a.txt").touch()
    root, [found] = paths(TextLocation(new).apply(recorded("text", None, file)))
    assert (Path(root or "") / found).resolve() == new / "a.txt"


def test_recorded_folders_below_the_root_stay(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.txt").touch()
    config = TextLocation(tmp_path).apply(recorded("text", "old", "deep/a.txt"))
    assert paths(config) == (str(tmp_path), ["deep/a.txt"])


@pytest.mark.parametrize("place", ["root", "files"])
def test_names_that_no_configuration_can_hold_are_refused(place: str) -> None:
    name = Path(b"caf\xe9".decode("utf-8", "surrogateescape"))
    location = TextLocation(name) if place == "root" else TextLocation(None, (name,))
    with pytest.raises(UserError, match="is not UTF-8, and no configuration can hold it; rename"):
        location.apply(recorded("text", None, "a.txt"))


@pytest.mark.parametrize("name", ["lee", "sherlock", "ptb"])
def test_files_of_a_corpus_of_its_own_are_refused(name: str) -> None:
    with pytest.raises(UserError, match=f"data={name}; give the folder .* --root DIR"):
        TextLocation(None, (Path("a"),)).apply(recorded(name))
    assert paths(TextLocation(Path("new")).apply(recorded(name))) == ("new", [])
    assert location_options(name) == "--root DIR"
    assert "--files" in location_options("text")
