"""Trials that train together in one worker, as a user sees them: each is a trial of its own."""

from pathlib import Path
from typing import Any

import pytest

from sweeps.files import read_json

PACKED = ["--multirun", "sweep.name=p", "steps=12", "sweep.pack=auto", "pay=8", "pause=0.01"]


def expected(rate: str, steps: int) -> list[tuple[int, Any]]:
    factor = 1 - 2 * float(rate)
    return [(step, pytest.approx(factor ** (2 * step), rel=1e-9)) for step in range(1, steps + 1)]


def facts(toy: Any, row: dict[str, str]) -> dict[str, Any]:
    path: Path = toy.folder / row["directory"] / "provenance.json"
    return read_json(path) or {}


def test_diverging_and_failing_trials_leave_the_others_of_their_pack(toy: Any) -> None:
    command = ["--multirun", "sweep.name=p", "steps=12", "sweep.pack=9", "rate=0.1,0.2,2"]
    done = toy(*command, "fault=none,raise", "sweep.cpus_per_trial=2")
    assert done.returncode == 1, done.stderr
    assert done.stdout.count("failed after") == 3
    rows = {(row["rate"], row["fault"]): row for row in toy.rows("p")}
    for (rate, fault), row in rows.items():
        if fault == "raise":
            assert row["status"] == "failed"
        else:
            assert row["status"] == ("diverged" if rate == "2" else "finished")
        if row["status"] == "finished":
            assert toy.table(row["directory"]) == expected(rate, 12)
