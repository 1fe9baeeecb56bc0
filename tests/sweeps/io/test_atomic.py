"""Files that outlive a machine that goes down, and JSON that gives back what was written."""

import json
import math
import os
from pathlib import Path
from typing import Any

import pytest

from sweeps.io.atomic import read_json, write_json, write_text


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is brought to the disk, by the name of the file, and what is renamed, in order."""
    made: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def watch_fsync(descriptor: int) -> None:
        made.append(f"sync {os.path.basename(os.readlink(f'/proc/self/fd/{descriptor}'))}")
        fsync(descriptor)

    def watch_replace(path: Path, target: Any) -> Path:
        made.append(f"rename {path.name}")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", watch_fsync)
    monkeypatch.setattr(Path, "replace", watch_replace)
    return made


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_a_file_is_on_the_disk_before_its_name_is_and_the_name_at_the_end(
    tmp_path: Path, calls: list[str]
) -> None:
    write_text(tmp_path / "sweep.json", "{}")
    half = f".sweep.json.{os.getpid()}"
    assert calls == [f"sync {half}", f"rename {half}", f"sync {tmp_path.name}"]
    calls.clear()
    write_text(tmp_path / "sweep.json", "{}", durable=False)
    assert calls == [f"rename {half}"]


def test_numbers_that_json_lacks_are_given_back(tmp_path: Path) -> None:
    values = {"a": math.inf, "b": [-math.inf, 1], "c": {"d": math.nan}}
    write_json(tmp_path / "a.json", values)
    found = read_json(tmp_path / "a.json") or {}
    assert (found["a"], found["c"].keys()) == (math.inf, {"d"})
    assert math.isnan(found["c"]["d"])


@pytest.mark.parametrize(
    "text", ["", "[]", "5", "null", "{", '{"a": "\\ud800"}', '{"\\uDFFF": 1}', "[" * 10**6]
)
def test_what_is_no_json_object_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    assert read_json(tmp_path / "a.json") is None


def test_a_whole_surrogate_pair_is_one_character(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"a": "\U0001f600"}))
    assert read_json(tmp_path / "a.json") == {"a": "\U0001f600"}
