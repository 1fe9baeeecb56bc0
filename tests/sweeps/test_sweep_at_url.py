"""Results at a URL, where no folder is the same on all machines."""

from pathlib import Path
from typing import Any

import pytest

from sweeps.io.mirror import Mirror


def test_sweep_at_a_url_goes_on_from_another_machine(toy: Any, tmp_path: Path) -> None:
    url = f"output_dir=file://{tmp_path}/store"
    command = ["--multirun", "sweep.name=u", "steps=8", url]
    first = toy(*command, "fault=raise_once,kill_once")
    assert first.returncode == 1, first.stderr
    toy.outputs = tmp_path / "store"
    assert statuses(toy) == {"raise_once": "failed", "kill_once": "finished"}
    assert not list((tmp_path / "store" / "u" / ".ray").glob("*"))

    toy.cache = tmp_path / "other"  # where nothing is known of the first run
    again = toy(*command, "fault=raise_once,kill_once", "seed=0,1")
    assert again.returncode == 1, again.stderr  # the new seed raises once, too
    assert "4 trials, 1 of them done before" in again.stdout
    old = {row["fault"]: row["status"] for row in toy.rows("u") if row["seed"] == "0"}
    assert old == {"raise_once": "finished", "kill_once": "finished"}
    names = Mirror(f"file://{tmp_path}/store", tmp_path / "third").list_names("u")
    assert len([name for name in names if ",id=" in name]) == 4
    assert all("seed=" in name for name in names if ",id=" in name)
    for row in toy.rows("u"):
        table = toy.table(tmp_path / "store" / "u" / row["trial"])
        if row["status"] == "finished":
            expected = [(step, 0.8 ** (2 * step)) for step in range(1, 9)]
            assert table == [(step, pytest.approx(loss, rel=1e-9)) for step, loss in expected]


def statuses(toy: Any) -> dict[str, str]:
    return {row["fault"]: row["status"] for row in toy.rows("u")}


def test_url_that_cannot_be_opened_is_one_sentence(toy: Any) -> None:
    done = toy("--multirun", "rate=0.1,0.2", "output_dir=nowhere://bucket/x")
    assert done.returncode == 1
    assert "output_dir=nowhere://bucket/x cannot be opened" in done.stderr
    assert "Traceback" not in done.stderr
