"""Every scheduler that is shipped, on language models: it acts, and no trial fails."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lm.config import CONFIG_DIR
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


ACTS = {
    "none": every_trial_finishes,
    "asha": the_worst_stops_after(1, "asha"),
    "median": the_worst_stops_after(2, "median"),
    "pbt": the_worst_changes_its_learning_rate,
}


def test_schedulers_compare_trials_at_times_that_trials_report(
    tmp_path: Path, tiny: Compose
) -> None:
    run(tmp_path, tiny("train.epochs=1"))
    times = {tiny(f"scheduler={name}")["scheduler"]["time"] for name in NAMES}
    assert times <= set(read_metrics(tmp_path / "metrics.csv")[-1])


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name == "asha" else pytest.mark.slow) for name in NAMES],
)
def test_scheduler_acts_on_language_models_and_no_trial_fails(
    tmp_path: Path, tiny_overrides: list[str], one_cpu: str, name: str
) -> None:
    rates = f"optimizer.learning_rate={','.join(RATES)}"
    options = (rates, f"scheduler={name}", "sweep.name=rates", "train.epochs=3")
    done = subprocess.run(
        [sys.executable, "-m", "lm.sweep", *tiny_overrides, *options],
        cwd=tmp_path,
        env={**os.environ, "RAY_ADDRESS": one_cpu},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    folders = (tmp_path / "outputs" / "rates").glob("*,id=*")
    trials = {path.name.split(",")[0].removeprefix("lr="): read_trial(path) for path in folders}
    assert set(trials) == set(RATES)
    assert {trial.status for trial in trials.values()} <= {"finished", "stopped"}
    ACTS[name](trials)
