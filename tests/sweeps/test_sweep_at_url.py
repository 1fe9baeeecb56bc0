"""Results at a URL, where no folder is the same on all machines."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from sweeps.io.mirror import Mirror


@pytest.mark.slow
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


STORE = """
import functools, os
from fsspec.implementations.local import LocalFileSystem

def refuse_while_away(method):
    @functools.wraps(method)
    def call(*arguments, **options):
        if os.path.exists(os.environ["AWAY"]):
            raise OSError("Could not connect to the endpoint")
        return method(*arguments, **options)
    return call

class Away(LocalFileSystem):
    protocol = "away"
    local_file = False

    @classmethod
    def _strip_protocol(cls, path):
        return LocalFileSystem._strip_protocol(path.removeprefix("away://"))

def hide_while_away(method):
    return lambda *arguments: not os.path.exists(os.environ["AWAY"]) and method(*arguments)

for name in ("isdir", "isfile", "exists"):  # as in fsspec's own class
    setattr(Away, name, hide_while_away(getattr(LocalFileSystem, name)))
for name in ("_open", "info", "ls", "mkdir", "makedirs", "rm", "rm_file", "mv", "cp_file"):
    setattr(Away, name, refuse_while_away(getattr(LocalFileSystem, name)))
"""


@pytest.fixture
def away(toy: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file; while it exists, the store at `away://` does not answer."""
    plugin = toy.folder / "plugin"
    (plugin / "away-1.dist-info").mkdir(parents=True)
    (plugin / "away.py").write_text(STORE)
    (plugin / "away-1.dist-info/METADATA").write_text("Name: away\nVersion: 1\n")
    entry = "[fsspec.specs]\naway=away:Away\n"
    (plugin / "away-1.dist-info/entry_points.txt").write_text(entry)
    environment = toy.environment()
    environment["PYTHONPATH"] += os.pathsep + str(plugin)
    mark = toy.folder / "away"
    variables = {**environment, "AWAY": str(mark)}
    monkeypatch.setattr(toy, "environment", lambda: {**variables, "XDG_CACHE_HOME": str(toy.cache)})
    return mark


@pytest.mark.fault
def test_a_store_that_is_away_costs_nothing_but_time(toy: Any, away: Path) -> None:
    """Training goes on meanwhile, and another machine is refused before."""
    (toy.folder / "store").mkdir()
    url = f"output_dir=away://{toy.folder}/store"
    command = ["--multirun", "sweep.name=u", "steps=60", "pause=0.2", "rate=0.1,0.2", url]
    process = toy.start(*command)

    def rows() -> int:
        tables = toy.cache.rglob("metrics.csv")
        return min((table.read_text().count("\n") for table in tables), default=0)

    toy.wait(lambda: rows() > 5)
    own, toy.cache = toy.cache, toy.folder / "other"
    refused = toy(*command)
    toy.cache = own
    assert refused.returncode == 1
    assert "runs the sweep u at away://" in refused.stderr
    assert "Traceback" not in refused.stderr
    toy.wait(lambda: rows() > 10)
    away.touch()
    before = rows()
    toy.wait(lambda: rows() > before + 5)
    toy.wait(lambda: all(table.read_text().count("\n") > 60 for table in own.rglob("metrics.csv")))
    time.sleep(2)  # both have ended, and cannot say so
    away.unlink()
    done = toy.end(process)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    toy.outputs = toy.folder / "store"
    assert {row["status"] for row in toy.rows("u")} == {"finished"}
    for row in toy.rows("u"):
        factor = 1 - 2 * float(row["rate"])
        table = toy.table(toy.outputs / "u" / row["trial"])
        assert table == [(s, pytest.approx(factor ** (2 * s), rel=1e-9)) for s in range(1, 61)]
    assert not list(toy.outputs.glob(".*"))
