"""Files of another format are refused in one sentence."""

import json
from pathlib import Path
from typing import Any

import pytest

from sweeps.errors import UserError
from sweeps.io.atomic import write_json
from sweeps.plan.reuse import trained_in_other_sweeps
from sweeps.store.format import FORMAT, read_fields, write_fields
from sweeps.store.provenance import Provenance, read_provenance
from sweeps.store.sweep import Sweep, read_sweep, write_sweep
from sweeps.store.trial import TrialSpec, write_trial
from sweeps.tracking import Run

FILES = ("sweep.json", "grid/trial.json", "grid/result.json", "grid/provenance.json")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sweep with one finished trial."""
    folder = tmp_path / "sweep"
    spec = TrialSpec(
        config={"rate": 0.1},
        overrides=("rate=0.1",),
        settings={"rate": "0.1"},
        fingerprint="f" * 64,
        train_command="python -m app rate=0.1",
    )
    write_trial(folder / "grid", spec, Provenance(facts={}, diff=""))
    with Run(folder / "grid", metric="loss", mode="min") as run:
        run.report(1, {"loss": 2.0})
    write_sweep(Sweep(folder=folder, axes=("rate",), metric="loss"))
    return folder


def read_all(folder: Path) -> None:
    read_sweep(folder)
    read_provenance(folder / "grid")


@pytest.mark.parametrize("name", FILES)
def test_every_file_has_a_format_number(folder: Path, name: str) -> None:
    assert json.loads((folder / name).read_text())["format"] == FORMAT


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    ("number", "words"),
    [
        (FORMAT + 1, "has format 2: another version wrote it"),
        (None, "has no format number: an earlier version wrote it"),
    ],
)
def test_another_format_is_refused_in_one_sentence(
    folder: Path, name: str, number: int | None, words: str
) -> None:
    read_all(folder)
    fields: dict[str, Any] = read_fields(folder / name, {}) or {}
    write_json(folder / name, fields if number is None else {"format": number, **fields})
    with pytest.raises(UserError) as caught:
        read_all(folder)
    sentence = str(caught.value)
    assert sentence.startswith(f"{folder / name} {words}, and this version reads format 1 only; ")
    assert f"move {(folder / name).parent} elsewhere" in sentence
    assert "\n" not in sentence


def test_fields_are_read_back_without_the_number(tmp_path: Path) -> None:
    write_fields(tmp_path / "a.json", {"best": None, "metrics": {"loss": float("inf")}})
    fields = read_fields(tmp_path / "a.json", {})
    assert fields == {"best": None, "metrics": {"loss": float("inf")}}


def test_missing_or_damaged_file_has_no_fields(tmp_path: Path) -> None:
    assert read_fields(tmp_path / "a.json", {}) is None
    (tmp_path / "a.json").write_text('{"format": 1, "sta')
    assert read_fields(tmp_path / "a.json", {}) is None


def test_sweep_of_another_format_keeps_no_other_sweep_from_running(folder: Path) -> None:
    """Its trials are not reused; that is all."""
    other, key = folder.parent / "other", "f" * 64
    assert list(trained_in_other_sweeps(other, [key])) == [key]
    write_json(folder / "sweep.json", {"axes": ["rate"]})
    assert not trained_in_other_sweeps(other, [key])
