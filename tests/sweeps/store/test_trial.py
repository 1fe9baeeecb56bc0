"""Trial folders can be read back, and are never mixed up."""

from pathlib import Path
from typing import Any

import pytest

from sweeps.errors import UserError
from sweeps.run import Run
from sweeps.store.fingerprint import fingerprint
from sweeps.store.provenance import Provenance, collect, read_provenance
from sweeps.store.result import write_result
from sweeps.store.trial import TrialSpec, move_aside, read_config, read_trial, write_trial
from sweeps.tune.outcome import Outcome, finalize_status

CONFIG = {"rate": 1e-05, "size": None, "names": ["a", "é"], "flag": True, "seed": 3}


def write(directory: Path, config: dict[str, Any] = CONFIG, diff: str = "") -> None:
    spec = TrialSpec(
        config=config,
        overrides=("rate=1e-05",),
        settings={"rate": "1e-05"},
        fingerprint=fingerprint(config),
        train_command="python -m app rate=1e-05",
    )
    write_trial(directory, spec, Provenance({"git": {"commit": "abc"}}, diff))


def test_fingerprint_depends_on_content_not_on_order() -> None:
    assert fingerprint({"a": 1, "b": [1.5]}) == fingerprint({"b": [1.5], "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})


def test_config_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    write(tmp_path / "t")
    assert read_config(tmp_path / "t") == CONFIG
    assert read_provenance(tmp_path / "t").facts == {"seed": 3, "git": {"commit": "abc"}}
    trial = read_trial(tmp_path / "t")
    assert trial.fingerprint == trial.planned_fingerprint == fingerprint(CONFIG)
    assert (trial.settings, trial.train_command) == ({"rate": "1e-05"}, "python -m app rate=1e-05")


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


def test_dirty_tree_leaves_its_diff(tmp_path: Path) -> None:
    write(tmp_path, diff="+x")
    assert (tmp_path / "provenance.diff").read_text() == "+x\n"
    write(tmp_path)
    assert not (tmp_path / "provenance.diff").exists()


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


def test_provenance_knows_versions_and_command(tmp_path: Path) -> None:
    facts = collect(tmp_path).facts
    assert facts["packages"]["hydra-core"].startswith("1.3")
    assert facts["git"]["commit"] is None
    assert facts["command"].startswith("python ")


@pytest.mark.parametrize(
    ("status", "outcome", "expected"),
    [
        ("finished", Outcome(interrupted=True), "finished"),
        ("running", Outcome(interrupted=True), "interrupted"),
        ("stopped", Outcome(interrupted=True), "interrupted"),
        ("stopped", Outcome(ended={"t"}, stopped={"t": ("asha", "by asha at 1")}), "stopped"),
        ("running", Outcome(ended={"t"}), "failed"),
        ("running", Outcome(lost={"t": "its worker process died\nmore"}), "failed"),
    ],
)
def test_status_that_cannot_be_true_is_put_right(
    tmp_path: Path, status: str, outcome: Outcome, expected: str
) -> None:
    directory = tmp_path / "t"
    write(directory)
    write_result(directory, {"status": status, "step": 5, "metrics": {"loss": 1.0}})
    assert finalize_status(read_trial(directory), outcome).status == expected
    after = read_trial(directory)
    assert (after.status, after.step, after.metrics) == (expected, 5, {"loss": 1.0})
    assert (directory / "error.txt").exists() == (expected == "failed")
