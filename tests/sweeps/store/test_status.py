"""Statuses are plain words on disk, and know their rank."""

import json

import pytest

from sweeps.store.status import Diverged, TrialStatus, status_after


def test_status_is_its_word_in_json_and_text() -> None:
    assert json.dumps(TrialStatus.FINISHED) == '"finished"'
    assert f"{TrialStatus.STOPPED}" == TrialStatus("stopped") == "stopped"


def test_finished_trials_rank_first_and_waiting_ones_last() -> None:
    ranked = sorted(TrialStatus, key=lambda status: status.rank)
    assert ranked == [
        "finished",
        "stopped",
        "diverged",
        "interrupted",
        "failed",
        "running",
        "waiting",
    ]


def test_results_are_not_computed_again_and_stopped_trials_count() -> None:
    assert {status for status in TrialStatus if status.is_done} == {"finished", "diverged"}
    assert {status for status in TrialStatus if status.is_counted} == {"finished", "stopped"}


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (None, "finished"),
        (Diverged(3), "diverged"),
        (KeyboardInterrupt(), "interrupted"),
        (SystemExit(0), "stopped"),
        (SystemExit(1), "failed"),
        (ValueError("x"), "failed"),
    ],
)
def test_status_follows_from_how_the_objective_ended(
    error: BaseException | None, status: str
) -> None:
    assert status_after(error) == status
