"""Trials that train together in one worker, as a user sees them: each is a trial of its own."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sweeps.io.atomic import read_json
from sweeps.store.trial import read_trial

PREVIEW = "sweep.preview=true"
PACKED = ["--multirun", "sweep.name=p", "sweep.cpus_per_trial=2", "steps=12"]


def rows(toy: Any, key: str) -> dict[str, dict[str, str]]:
    return {row[key]: row for row in toy.rows("p")}


def facts(toy: Any, row: dict[str, str]) -> dict[str, Any]:
    path: Path = toy.folder / row["directory"] / "provenance.json"
    return read_json(path) or {}


def check_undisturbed(toy: Any, row: dict[str, str], steps: int = 12) -> None:
    """All steps are there, once, with the numbers of gradient descent."""
    assert row["status"] == "finished"
    factor = 1 - 2 * float(row.get("rate", 0.1))
    expected = [(step, factor ** (2 * step)) for step in range(1, steps + 1)]
    table = toy.table(row["directory"])
    assert table == [(step, pytest.approx(loss, rel=1e-9)) for step, loss in expected]


@pytest.mark.usefixtures("joined")
@pytest.mark.slow
def test_diverging_and_failing_trials_leave_the_others_of_their_pack(toy: Any) -> None:
    done = toy(*PACKED, "sweep.pack=9", "rate=0.1,0.2,2", "fault=none,raise")
    assert done.returncode == 1, done.stderr
    assert "In 1 pack of up to 6" in done.stdout
    assert done.stdout.count("failed after") == 3
    for row in toy.rows("p"):
        if row["fault"] == "raise":
            assert row["status"] == "failed"
            assert len(toy.table(row["directory"])) == 2
        elif row["rate"] == "2":
            assert row["status"] == "diverged"
        else:
            check_undisturbed(toy, row)
    assert {row["compile_cache"] for row in toy.rows("p")} == {"miss"}
    assert "compiling:   " in done.stdout

    again = toy(*PACKED, "sweep.pack=9", "rate=0.1,0.2,2", "fault=none")
    assert "All 3 trials were done before." in again.stdout


@pytest.mark.fault
@pytest.mark.usefixtures("joined")
def test_killed_worker_takes_no_trial_of_its_pack_along(toy: Any) -> None:
    """The faults kill a worker once, and each time: that one is found out."""
    done = toy(*PACKED, "sweep.pack=4", "fault=none,kill_once,kill", "pause=0.02")
    assert done.returncode == 1, done.stderr
    assert "fault=none and 2 more: their worker died; they are started again" in done.stdout
    assert "3 trials lost their worker together; each is trained by itself." in done.stdout
    found = rows(toy, "fault")
    assert found["kill"]["status"] == "failed"
    for fault in ("none", "kill_once"):
        check_undisturbed(toy, found[fault])
    assert {facts(toy, row)["lanes"] for row in found.values() if row["fault"] != "kill"} == {2}


@pytest.mark.slow
@pytest.mark.usefixtures("joined")
def test_scheduler_stops_a_trial_and_leaves_the_others_of_its_pack(toy: Any) -> None:
    command = [*PACKED[:-1], "steps=20", "pause=0.02", "scheduler=asha", "sweep.pack=4"]
    assert toy(*command, "rate=0.4,0.1,0.01").returncode == 0
    found = rows(toy, "rate")
    check_undisturbed(toy, found["0.4"], 20)
    for rate in ("0.1", "0.01"):
        trial = read_trial(toy.folder / found[rate]["directory"])
        assert (trial.status, trial.stopped_by, trial.error) == (
            "stopped",
            "asha",
            "by asha at step 1",
        )
        assert trial.step < 4
    again = toy(*command, "rate=0.4,0.1,0.01,0.001")
    assert "4 trials, 3 of them done before" in again.stdout
    trial = read_trial(toy.folder / rows(toy, "rate")["0.001"]["directory"])
    assert (trial.status, trial.stopped_by) == ("stopped", "asha")
    assert trial.step < 4


@pytest.mark.slow
@pytest.mark.usefixtures("joined")
def test_interrupted_packs_go_on_to_the_numbers_of_uninterrupted_ones(toy: Any) -> None:
    command = ["--multirun", "sweep.cpus_per_trial=2", "steps=60", "pause=0.04", "sweep.pack=2"]
    rates = "rate=0.01,0.02,0.03"
    stopped = toy.signal_midway(signal.SIGINT, "p", *command, rates)
    assert stopped.returncode == 130, stopped.stderr
    statuses = [row["status"] for row in toy.rows("p")]
    assert statuses.count("interrupted") >= 2
    assert toy(*command, rates, "sweep.name=p").returncode == 0
    for row in toy.rows("p"):
        check_undisturbed(toy, row, 60)
    assert {facts(toy, row)["lanes"] for row in toy.rows("p")} == {2}


@pytest.mark.usefixtures("joined")
@pytest.mark.slow
def test_time_limit_ends_a_pack_that_hangs_and_trials_that_do_not(toy: Any) -> None:
    # It hangs in its third step, which comes in time on a busy machine, too.
    limit = ["sweep.trial_minutes=0.1", "sweep.pack=2"]
    done = toy(*PACKED, *limit, "rate=0.1,0.2", "fault=stuck")
    assert done.returncode == 0, done.stderr
    for row in toy.rows("p"):
        assert row["status"] == "stopped"
        assert "toy.py" in (toy.folder / row["directory"] / "stuck.txt").read_text()
    assert "All 2 trials" in toy(*PACKED, *limit, "rate=0.1,0.2", "fault=stuck").stdout


@pytest.mark.slow
def test_packs_at_a_url_bring_every_trial_there(toy: Any, tmp_path: Path) -> None:
    url = f"output_dir=file://{tmp_path}/store"
    done = toy(*PACKED, url, "sweep.pack=2", "fault=none,kill_once", "rate=0.1,2")
    assert done.returncode == 0, done.stdout + done.stderr
    shutil.rmtree(toy.cache)  # all is there, not here
    toy.outputs = tmp_path / "store"
    for row in toy.rows("p"):
        row["directory"] = str(tmp_path / "store" / "p" / row["trial"])
        log = (Path(row["directory"]) / "log.txt").read_text()
        assert ("killed at step 4" in log) == (row["fault"] == "kill_once")
        if row["rate"] == "2":
            assert row["status"] == "diverged"
        else:
            check_undisturbed(toy, row)
            assert (Path(row["directory"]) / "checkpoints" / "state.json").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("joined")
def test_leftover_trial_is_a_pack_of_one_and_is_reproduced_as_one(toy: Any) -> None:
    """The toy rounds otherwise in packs: only they give a packed trial's very numbers."""
    assert toy(*PACKED, "sweep.pack=2", "rate=0.11,0.22,0.33").returncode == 0
    assert [facts(toy, row)["lanes"] for row in toy.rows("p")] == [2, 2, 2]
    for row in toy.rows("p"):
        again = reproduce(toy, row, pack="toy.descend_together")
        assert again.returncode == 0, again.stdout + again.stderr
        assert "identical: 12 steps" in again.stdout
    other = reproduce(toy, row, pack=None)
    assert other.returncode == 1
    assert "was trained in a pack, and this command knows of no packs" in other.stderr


def reproduce(toy: Any, row: dict[str, str], pack: str | None) -> Any:
    functions = {
        "objective": "toy.descend",
        "identify": "toy.identify",
        "environment": "toy.environment",
        "pack": pack,
    }
    program = (
        "from sweeps.reproduce.command import *; import sys; "
        f"sys.exit(main(Application(**{functions})))"
    )
    command = [sys.executable, "-c", program, row["directory"]]
    pipe = subprocess.PIPE
    return subprocess.run(
        command, cwd=toy.folder, env=toy.environment(), text=True, stdout=pipe, stderr=pipe
    )


@pytest.mark.parametrize("kind", ["scheduler=pbt", "search=optuna"])
def test_trials_that_are_led_are_not_packed(toy: Any, toy_here: Any, kind: str) -> None:
    done = toy_here(*PACKED, "rate=0.1,0.2", "search.trials=2", kind, "sweep.pack=3")
    assert done.returncode == 1
    assert f"and {kind} decides on them while others run; take sweep.pack=1" in done.stderr
    assert not list(toy.folder.rglob("config.yaml"))
    allowed = toy_here(*PACKED, "rate=0.1,0.2", "search.trials=2", kind, "sweep.pack=auto", PREVIEW)
    assert "2 trials: 2 to run" in allowed.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["sweep.pack=3"], "8 trials: 8 to run in 4 packs of up to 3"),
        (
            ["sweep.pack=auto", "free_lanes=9", "sweep.cpus_per_trial=999"],
            "8 to run in 2 packs of up to 4",
        ),
        (["sweep.pack=auto"], "8 trials: 8 to run\n"),
        (["sweep.pack=1"], "8 trials: 8 to run\n"),
    ],
)
def test_preview_tells_of_packs(toy_here: Any, arguments: list[str], told: str) -> None:
    done = toy_here("+sweep=grid", "rate=0.1,0.2,0.3,0.4", PREVIEW, *arguments)
    assert told in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("pack", ["0", "many", "2.5", "-1", "true"])
def test_width_that_is_none_is_one_sentence(toy_here: Any, pack: str) -> None:
    done = toy_here("+sweep=grid", f"sweep.pack={pack}")
    assert done.returncode == 1
    assert "is not known; give a number from 1, or auto" in done.stderr
