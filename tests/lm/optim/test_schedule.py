"""Numbers that change during training, as in a population: the same course by configuration."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lm.config import parse_config
from lm.hooks.identity import identify
from lm.optim.optimizer import hyperparameters
from lm.optim.schedule import config_at_step, steps_until_change
from sweeps.errors import UserError
from sweeps.store.metrics import read_metrics
from sweeps.store.status import TrialStatus
from sweeps.tracking import Stop
from tests.lm.helpers.training import history, run

Compose = Callable[..., dict[str, Any]]
REPORTS = "train.report_every=7", "train.epochs=2"
STEP = 14
CHANGE = f"train.changes=[{{step:{STEP},optimizer.learning_rate:0.05,train.clip_norm:0.2}}]"
AFTER = "optimizer.learning_rate=0.05", "train.clip_norm=0.2"


def stop_after(directory: Path, step: int) -> Callable[[float], Stop | None]:
    """A request to stop that comes once a step is reported."""

    def stop_signal(seconds: float) -> Stop | None:
        reached = read_metrics(directory / "metrics.csv")[-1]["step"] >= step
        stop = Stop(status=TrialStatus.STOPPED, stopped_by="time", reason="after a while")
        return stop if reached else None

    return stop_signal


def test_change_equals_going_on_with_other_numbers(tmp_path: Path, tiny: Compose) -> None:
    """Trained to the step with the one, then from its checkpoint with the other."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    run(whole, tiny(*REPORTS, CHANGE))
    trial = run(parts, tiny(*REPORTS), stop_signal=stop_after(parts, STEP))
    assert (trial.status, trial.stopped_by, trial.step) == ("stopped", "time", STEP)
    run(parts, tiny(*REPORTS, *AFTER))
    assert history(parts) == history(whole)
    rows = history(whole)
    rates = [row["train/learning_rate"] for row in rows]
    assert rates == [0.05 if row["step"] > STEP else rates[0] for row in rows] != rates[:1] * 7


def test_change_between_reports_happens_at_its_step(tmp_path: Path, tiny: Compose) -> None:
    change = "train.changes=[{step:10,optimizer.learning_rate:0.05}]"
    run(tmp_path / "a", tiny(*REPORTS, change))
    steps = [row["step"] for row in history(tmp_path / "a")]
    assert steps[:4] == [7, 10, 17, 23]  # an epoch has 23 updates


def test_changes_are_made_in_turn(tiny: Compose) -> None:
    first, second = "{step:5,optimizer.momentum:0.5}", "{step:9,optimizer.momentum:0.7}"
    config = parse_config(tiny(f"train.changes=[{first},{second}]"))
    found = [hyperparameters(config_at_step(config, step), 0).momentum for step in (4, 5, 8, 9, 20)]
    assert [float(value) for value in found] == pytest.approx([0.9, 0.5, 0.5, 0.7, 0.7])
    assert [steps_until_change(config, step) for step in (0, 5, 9)] == [5, 4, float("inf")]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("{optimizer.learning_rate:0.1}", "needs a step"),
        ("{step:3,optimizer.learning_rate:fast}", "learning_rate=fast, which is not a number"),
        ("{step:3,model.dropout:0.1}", "names model.dropout, which cannot change"),
        ("{step:3,optimizer.learning_rate:-1}", "optimizer.learning_rate=-1 is out of range"),
    ],
)
def test_nonsense_is_refused(tiny: Compose, change: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        parse_config(tiny(f"train.changes=[{change}]"))


def test_rule_without_momentum_cannot_change_it(tiny: Compose) -> None:
    with pytest.raises(UserError, match="this rule has none"):
        parse_config(tiny("optimizer=adam", "train.changes=[{step:3,optimizer.momentum:0.5}]"))


def test_changed_trial_is_another_trial(tiny: Compose) -> None:
    assert identify(tiny(*REPORTS)) != identify(tiny(*REPORTS, CHANGE))
