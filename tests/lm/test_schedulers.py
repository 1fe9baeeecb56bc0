"""Every scheduler that is shipped, on language models: it acts, and no trial fails."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lm.config import CONFIG_DIR
from lm.training.checkpoint import CheckpointManager
from sweeps.store.metrics import read_metrics
from sweeps.store.trial import Trial, read_config, read_trial
from tests.lm.helpers.training import run
from tests.sweeps.helpers.ray_process import ray_process

Compose = Callable[..., dict[str, Any]]
NAMES = sorted(path.stem for path in CONFIG_DIR.glob("scheduler/*.yaml"))
RATES = ("0.1", "0.3", "1", "3")
"""Of learning, in the order of the trials; the second is the best, the last is by far the worst."""

Trials = dict[str, Trial]
"""By the learning rate that each began with."""


@pytest.fixture(scope="module")
def one_cpu() -> Iterator[str]:
    """The address of a Ray session that runs trials one by one, so that their order is known."""
    with ray_process(cpus=1) as (address, _):
        yield address


def every_trial_finishes(trials: Trials) -> None:
    assert [trial.status for trial in trials.values()] == ["finished"] * len(RATES)


def the_worst_stops_after(epoch: int, kind: str) -> Callable[[Trials], None]:
    def check(trials: Trials) -> None:
        assert trials["0.3"].status == "finished"
        worst = trials["3"]
        assert (worst.status, worst.error) == ("stopped", f"by {kind} at epoch {epoch}")
        assert worst.metrics["time/epoch"] == epoch

    return check


def the_worst_changes_its_learning_rate(trials: Trials) -> None:
    every_trial_finishes(trials)
    first = read_config(trials["3"].directory)["train"]["changes"][0]
    assert first["optimizer.learning_rate"] in (0.1, 1)  # beside the best one's
    assert trials["3"].best_of("valid/perplexity")[0] < 100  # its own were in the thousands


CUSTOM = (
    "scheduler.kind=ray.tune.schedulers.AsyncHyperBandScheduler",
    "scheduler.arguments={max_t:1000,reduction_factor:4,stop_last_trials:false}",
)
"""A scheduler of Ray Tune by its dotted path, with the numbers of `conf/scheduler/asha.yaml`."""
ACTS = {
    "custom": the_worst_stops_after(1, CUSTOM[0].partition("=")[2]),
    "none": every_trial_finishes,
    "asha": the_worst_stops_after(1, "asha"),
    "median": the_worst_stops_after(2, "median"),
    "pbt": the_worst_changes_its_learning_rate,
}


def choose(name: str) -> list[str]:
    return [f"scheduler={name}", *(CUSTOM if name == "custom" else ())]


def test_schedulers_compare_trials_at_times_that_trials_report(
    tmp_path: Path, tiny: Compose
) -> None:
    run(tmp_path, tiny("train.epochs=1"))
    times = {tiny(*choose(name))["scheduler"]["time"] for name in NAMES}
    assert times <= set(read_metrics(tmp_path / "metrics.csv")[-1])


def sweep(folder: Path, address: str, *overrides: str) -> subprocess.CompletedProcess[str]:
    """Run a sweep called `rates` in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "lm.sweep", *overrides, "sweep.name=rates", "train.epochs=3"],
        cwd=folder,
        env={**os.environ, "RAY_ADDRESS": address},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


def trials_of(folder: Path) -> Trials:
    folders = (folder / "outputs" / "rates").glob("*,id=*")
    return {path.name.split(",")[0].removeprefix("lr="): read_trial(path) for path in folders}


def reproduce(trial: Trial, folder: Path) -> None:
    """Train a trial again as its user would: up to where it was stopped, with its changes."""
    done = subprocess.run(
        [sys.executable, "-m", "lm.reproduce", str(trial.directory)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "identical: " in done.stdout


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name == "asha" else pytest.mark.slow) for name in NAMES],
)
@pytest.mark.slow
def test_scheduler_acts_on_language_models_and_the_worst_reproduces(
    tmp_path: Path, tiny_overrides: list[str], one_cpu: str, name: str
) -> None:
    rates = f"optimizer.learning_rate={','.join(RATES)}"
    done = sweep(tmp_path, one_cpu, *tiny_overrides, rates, *choose(name))
    assert done.returncode == 0, done.stdout + done.stderr
    trials = trials_of(tmp_path)
    assert set(trials) == set(RATES)
    assert {trial.status for trial in trials.values()} <= {"finished", "stopped"}
    ACTS[name](trials)
    for trial in trials.values():  # also of one that continued from another one's state
        best = CheckpointManager(trial.directory / "checkpoints").best_step()
        assert best == trial.best_of("valid/perplexity")[1]
    reproduce(trials["3"], tmp_path)


INTERVAL = "optimizer.learning_rate=tag(log,interval(0.01,4))"
OTHERS = sorted({path.stem for path in CONFIG_DIR.glob("search/*.yaml")} - {"grid"})


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("search", OTHERS)
def test_search_and_scheduler_go_together(
    tmp_path: Path, tiny_overrides: list[str], one_cpu: str, search: str, name: str
) -> None:
    number = 6
    draws = (INTERVAL, f"search={search}", f"search.trials={number}", *choose(name))
    done = sweep(tmp_path, one_cpu, *tiny_overrides, *draws)
    if (search, name) == ("optuna", "pbt"):
        assert done.returncode == 1
        assert "scheduler=pbt searches by itself; take search=random or search=grid." in done.stderr
        return
    assert done.returncode == 0, done.stdout + done.stderr
    trials = trials_of(tmp_path).values()
    assert len(trials) == number
    best = min(trials, key=lambda trial: trial.best_of("valid/perplexity")[0])
    assert best.status == "finished"
    others = [trial for trial in trials if trial.status != "finished"]
    changed = [trial for trial in trials if read_config(trial.directory)["train"]["changes"]]
    kind = CUSTOM[0].partition("=")[2] if name == "custom" else name
    assert {trial.error.split(" at ")[0] for trial in others} == (
        {f"by {kind}"} if name in ("asha", "custom", "median") else set()
    )
    assert bool(changed) == (name == "pbt")
    for trial in [*others, *changed][:1]:
        reproduce(trial, tmp_path)
