"""Trial folders can be read back, and are never mixed up."""

from pathlib import Path
from typing import Any

import pytest

from sweeps.errors import UserError
from sweeps.store import trial
from sweeps.store.fingerprint import fingerprint
from sweeps.store.provenance import Provenance, read_provenance
from sweeps.store.trial import (
    TrialSpec,
    move_aside,
    read_config,
    read_trial,
    to_yaml,
    write_trial,
)
from sweeps.tracking import Run

CONFIG = {"rate": 1e-05, "size": None, "names": ["a", "é"], "flag": True, "seed": 3}


def write(directory: Path, config: dict[str, Any] = CONFIG) -> None:
    spec = TrialSpec(
        config=config,
        overrides=("rate=1e-05",),
        settings={"rate": "1e-05"},
        fingerprint=fingerprint(config),
        train_command="python -m app rate=1e-05",
    )
    write_trial(directory, spec, Provenance(facts={"git": {"commit": "abc"}}, diff=""))


def test_config_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    write(tmp_path / "t")
    assert read_config(tmp_path / "t") == CONFIG
    assert read_provenance(tmp_path / "t").facts == {"seed": 3, "git": {"commit": "abc"}}
    trial = read_trial(tmp_path / "t")
    assert trial.fingerprint == trial.planned_fingerprint == fingerprint(CONFIG)
    assert (trial.settings, trial.train_command) == ({"rate": "1e-05"}, "python -m app rate=1e-05")


@pytest.mark.parametrize(
    "config",
    [
        {},
        CONFIG,
        {"a": {}, "b": [], "c": {"d": {"e": [{"f": None}, [1, "2"]]}, "g": ""}, "é": "x: y\n z"},
        {"true": "true", "1": 1, "x": 1.0, "y": True, "z": float("nan"), "w": -0.0, "v": 0.0},
        {"same": {"x": 1}, "other": {"x": 1}, "third": {"x": True}, "long": "word " * 60},
    ],
)
def test_config_is_written_by_sections_as_at_once(tmp_path: Path, config: dict[str, Any]) -> None:
    expected = to_yaml(config)
    for at in range(2):  # the second time the sections are known
        write(tmp_path / str(at), config)
        assert (tmp_path / str(at) / "config.yaml").read_text() == expected


def test_section_that_is_known_is_not_written_out_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = list[Any]()
    monkeypatch.setattr(trial, "to_yaml", lambda values: (made.append(values), to_yaml(values))[1])
    monkeypatch.setattr(trial, "_MAX_TEXTS", 5)
    for seed in range(20):
        write(tmp_path / str(seed), {"seed": seed, "fresh": {"x": [1, 2]}})
    assert 0 < made.count({"fresh": {"x": [1, 2]}}) < 20
    assert len(trial._SECTION_TEXTS) <= 5
    made.clear()
    write(tmp_path / "again", {"seed": 19, "fresh": {"x": [1, 2]}})
    assert made == [["rate=1e-05"]]  # its overrides


def test_new_folder_waits_and_a_run_gives_it_a_status(tmp_path: Path) -> None:
    write(tmp_path)
    assert read_trial(tmp_path).status == "waiting"
    with Run(tmp_path, metric="loss", mode="min") as run:
        run.report(1, {"loss": 2.0})
    trial = read_trial(tmp_path)
    assert (trial.status, trial.done, trial.metrics) == ("finished", True, {"loss": 2.0})


def test_damaged_result_counts_as_not_done(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "result.json").write_text('{"status": "fini')
    assert read_trial(tmp_path).status == "waiting"


def test_folder_of_another_configuration_is_refused(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(UserError, match="a different configuration"):
        write(tmp_path, {**CONFIG, "seed": 4})


def test_old_folder_is_moved_and_not_deleted(tmp_path: Path) -> None:
    write(tmp_path / "t")
    aside = move_aside(tmp_path / "t")
    assert aside is not None
    assert not (tmp_path / "t").exists()
    assert read_config(aside) == CONFIG
    assert move_aside(tmp_path / "t") is None


def test_unwritable_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write .*file/t \(Not a directory\)"):
        write(tmp_path / "file" / "t")
