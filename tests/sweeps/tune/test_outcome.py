"""Statuses of trials whose process is gone."""

from pathlib import Path

import pytest

from sweeps.store.result import empty_result, write_result
from sweeps.store.trial import read_trial, update_trial
from sweeps.tune.outcome import Outcome, finalize_status


@pytest.mark.parametrize(
    ("status", "outcome", "expected"),
    [
        ("finished", Outcome(interrupted=True), "finished"),
        ("running", Outcome(interrupted=True), "interrupted"),
        ("waiting", Outcome(interrupted=True), "waiting"),
        ("waiting", Outcome(ended={"t"}), "failed"),
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
    directory.mkdir()
    update_trial(directory, fingerprint="f")
    (directory / "config.yaml").write_text("rate: 1\n")
    write_result(directory, {"status": status, "step": 5, "metrics": {"loss": 1.0}})
    assert finalize_status(read_trial(directory), outcome).status == expected
    after = read_trial(directory)
    assert (after.status, after.step, after.metrics) == (expected, 5, {"loss": 1.0})
    assert (directory / "error.txt").exists() == (expected == "failed")


def test_trial_that_made_no_update_has_not_started(tmp_path: Path) -> None:
    directory = tmp_path / "t"
    directory.mkdir()
    update_trial(directory, fingerprint="f")
    (directory / "config.yaml").write_text("rate: 1\n")
    write_result(directory, {"status": "running", "seconds": 3.0, **empty_result()})
    assert finalize_status(read_trial(directory), Outcome(interrupted=True)).error is None
    assert read_trial(directory).status == "waiting"
    assert finalize_status(read_trial(directory), Outcome(ended={"t"})).status == "failed"
