"""Trials that are stopped early, or changed while they run; what a search learns."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from sweeps.config import AshaConfig, MedianConfig, SchedulerConfig, SweepConfig
from sweeps.io.atomic import read_json
from sweeps.store.trial import read_config, read_trial
from sweeps.tracking import Run
from sweeps.tune.callback import SAVE_SECONDS
from sweeps.tune.schedulers import build_scheduler, replay


@pytest.mark.slow
@pytest.mark.usefixtures("joined")
def test_asha_stops_the_worst_says_so_and_remembers(toy: Any) -> None:
    command = ["--multirun", "sweep.name=a", "steps=20", "pause=0.02", "scheduler=asha"]
    assert toy(*command, "rate=0.4,0.01,0.001").returncode == 0
    rows = {row["rate"]: row for row in toy.rows("a")}
    assert rows["0.4"]["status"] == "finished"
    stopped = {rate for rate, row in rows.items() if row["status"] == "stopped"}
    assert "0.001" in stopped
    for rate in stopped:
        trial = read_trial(toy.folder / rows[rate]["directory"])
        assert trial.stopped_by == "asha"
        assert trial.error in (f"by asha at step {step}" for step in (1, 4, 16))

    again = toy(*command, "rate=0.4,0.01,0.001,0.0001")
    assert "4 trials, 3 of them done before" in again.stdout
    assert (
        "rate=0.0001: stopped after 0 s, loss 0.9996 at step 1, by asha at step 1" in again.stdout
    )

    rest = toy(*command[:-1], "rate=0.4,0.01,0.001,0.0001")
    assert rest.returncode == 0
    for rate, table in toy.tables("a").items():
        assert [step for step, _ in table] == list(range(1, 21)), rate


@pytest.mark.parametrize(
    "options",
    [
        AshaConfig(kind="asha", time="epoch", grace=2, factor=2),
        MedianConfig(kind="median", time="epoch", grace=1, samples=2),
    ],
    ids=lambda options: options.kind,
)
def test_rule_learns_from_trials_of_an_earlier_run(
    tmp_path: Path, options: SchedulerConfig
) -> None:
    """A new trial is judged by what those that are done reported at the same time."""
    handle = build_scheduler(options, SweepConfig(metric="loss", mode="min"), {})
    for at, loss in enumerate([1.0, 2.0, 3.0]):
        folder = tmp_path / str(at)
        folder.mkdir()
        with Run(folder, metric="loss", mode="min") as run:
            for epoch in range(1, 5):
                run.report(epoch * 10, {"loss": loss / epoch, "epoch": epoch})
                run.report(epoch * 10 + 1, {"other": 0.0})
    replay(handle, [read_trial(path) for path in sorted(tmp_path.iterdir())], options, "loss")

    decisions = []
    for loss in (0.5, 9.0):
        trial = type("Trial", (), {"trial_id": f"new{loss}"})()
        handle.scheduler.on_trial_add(None, trial)
        for epoch in range(1, 5):
            result = {"score": loss / epoch, "time": epoch}
            decisions.append(handle.scheduler.on_trial_result(None, trial, result))
            if decisions[-1] == "STOP":
                break
    assert decisions[:4] == ["CONTINUE"] * 4
    assert decisions[-1] == "STOP"
    assert list(handle.stopped) == ["new9.0"]


@pytest.mark.usefixtures("joined")
@pytest.mark.slow
def test_population_is_repeatable_and_each_trial_can_be_trained_alone(
    toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "helpers")
    draws = ["rate=tag(log,interval(1e-3,0.3))", "search=random", "search.trials=4", "steps=12"]
    command = ["--multirun", *draws, "scheduler=pbt", "scheduler.interval=3"]
    for name in ("one", "two"):
        done = toy(*command, f"sweep.name={name}", "sweep.fresh=true")
        assert done.returncode == 0, done.stderr
    assert toy.tables("one") == toy.tables("two")

    rows = toy.rows("one")
    changed = [row for row in rows if "changes=[{step:" in row["command"]]
    assert changed
    for row in rows:
        folder = toy.folder / row["directory"]
        assert toy.table(folder) == trained_alone(tmp_path / "alone" / row["trial"], folder)
        events = read_json(folder / "provenance.json") or {}
        assert bool(events.get("lineage")) == bool(list(folder.glob("abandoned/*/metrics.csv")))

    again = toy(*command, "sweep.name=one")
    assert "All 4 trials were done before." in again.stdout
    plain = toy("--multirun", *draws, "sweep.name=one")
    assert f"4 trials, {4 - len(changed)} of them done before" in plain.stdout
    assert len(toy.rows("one")) == 4 + len(changed)  # a changed trial is another result


POPULATION = ["--multirun", "rate=0.01,0.02", "scheduler=pbt", "scheduler.interval=4", "steps=24"]


@pytest.mark.slow
@pytest.mark.usefixtures("joined")
def test_population_that_was_interrupted_ends_like_one_that_was_not(toy: Any) -> None:
    assert toy(*POPULATION, "sweep.name=whole").returncode == 0
    process = toy.start(*POPULATION, "pause=0.2", "sweep.name=parts")
    # After the first exchange: one of them went on from the other one's state.
    trials = (toy.outputs / "parts").glob
    toy.wait(lambda: sum(len(toy.table(path)) > 5 for path in trials("*,id=*")) == 2)
    process.send_signal(signal.SIGINT)
    assert toy.end(process).returncode == 130
    assert all(row["status"] == "interrupted" for row in toy.rows("parts"))
    assert toy(*POPULATION, "sweep.name=parts").returncode == 0
    assert toy.tables("parts") == toy.tables("whole")


@pytest.mark.slow
@pytest.mark.usefixtures("joined")
@pytest.mark.parametrize(
    ("how", "status"),
    [
        (["scheduler.interval=0.5"], {"finished"}),
        (["fault=none,raise"], {"finished", "failed"}),
        (["fault=none,kill", "sweep.retries=0"], {"finished", "failed"}),
        (["fault=none,kill_once"], {"finished"}),
    ],
    ids=["rare_reports", "failure", "death", "retry"],
)
def test_nobody_waits_for_ever_in_a_population(toy: Any, how: list[str], status: set[str]) -> None:
    toy(*POPULATION, "sweep.name=p", *how)
    assert {row["status"] for row in toy.rows("p")} == status


@pytest.mark.slow
@pytest.mark.usefixtures("joined")
def test_those_that_wait_in_a_population_do_not_delay_an_interruption(toy: Any) -> None:
    slow = [
        "--multirun",
        "rate=0.1,0.2,0.3,0.4",
        "pause=1",
        "scheduler=pbt",
        "scheduler.interval=1",
    ]
    process = toy.start(*slow, "sweep.name=p", "steps=60", f"sweep.cpus_per_trial={os.cpu_count()}")
    toy.wait(lambda: len(list((toy.outputs / "p").glob("*/metrics.csv"))) >= 2)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert toy.end(process).returncode == 130
    assert time.monotonic() - began < SAVE_SECONDS - 5


def trained_alone(folder: Path, original: Path) -> list[tuple[int, float]]:
    """Run the toy's function on a trial's configuration."""
    from sweeps.config import locate
    from sweeps.store.metrics import read_metrics

    folder.mkdir(parents=True)
    with Run(folder, metric="loss", mode="min") as run:
        locate("toy.descend")(read_config(original), run)
    return [(int(row["step"]), row["loss"]) for row in read_metrics(folder / "metrics.csv")]


@pytest.mark.slow
@pytest.mark.usefixtures("joined")
def test_optuna_improves_on_what_it_saw_and_goes_on_later(toy: Any) -> None:
    axes = ["rate=tag(log,interval(1e-4,0.4))", "shape=small,large"]
    command = ["--multirun", *axes, "sweep.name=o", "steps=5", "search=optuna"]
    assert toy(*command, "search.trials=12").returncode == 0
    first = {row["trial"]: row for row in toy.rows("o")}
    assert len(first) == 12

    more = toy(*command, "search.trials=16")
    assert "16 trials, 12 of them done before" in more.stdout
    rows = toy.rows("o")
    assert len(rows) == 16
    assert set(first) < {row["trial"] for row in rows}
    new = [float(row["rate"]) for row in rows if row["trial"] not in first]
    old = [float(row["rate"]) for row in first.values()]
    # The best rate is the largest: having learned that, its suggestions lie above random ones.
    assert sorted(new)[2] > sorted(old)[6]
    assert all(row["command"].startswith("python -m toy steps=5 rate=") for row in rows)
