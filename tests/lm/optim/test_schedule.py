"""Numbers that change during training, as in a population: the same course by configuration."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lm.config import parse_config
from lm.config.static import pack_key
from lm.hooks.identity import identify
from lm.optim.optimizer import hyperparameters
from lm.optim.schedule import config_at_step, steps_until_change
from sweeps.errors import UserError
from sweeps.store.fingerprint import fingerprint
from sweeps.store.metrics import read_metrics
from sweeps.store.status import TrialStatus
from sweeps.tracking import Stop
from tests.lm.helpers.packs import train_pack
from tests.lm.helpers.training import assert_same, history, killed_at, run

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


def test_rate_of_each_update_is_reported_and_a_resume_repeats_it(
    tmp_path: Path, tiny: Compose
) -> None:
    """A report has the rate of its last update; updates count from 0, and 46 are all."""
    values = tiny(*REPORTS, "optimizer.schedule=cosine", "optimizer.warmup_steps=10")
    run(tmp_path / "whole", values)
    rows, rate = history(tmp_path / "whole"), values["optimizer"]["learning_rate"]
    for row in rows:
        update = row["step"] - 1
        share = (
            (1 + math.cos(math.pi * (update - 10) / 36)) / 2 if update >= 10 else (update + 1) / 10
        )
        assert row["train/learning_rate"] == pytest.approx(rate * share, rel=1e-5)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", values, killed_at(30))
    run(tmp_path / "parts", values)
    assert_same(tmp_path / "parts", tmp_path / "whole", values)


def test_warmup_of_one_update_trains_as_without_but_for_rounding(
    tmp_path: Path, tiny: Compose
) -> None:
    """Then every update has the full rate, in a program that takes one for each."""
    options = (*REPORTS, "loss.kind=sampled_softmax", "loss.samples=5")
    run(tmp_path / "by_update", tiny(*options, "optimizer.warmup_steps=1"))
    run(tmp_path / "constant", tiny(*options))
    pairs = zip(history(tmp_path / "by_update"), history(tmp_path / "constant"), strict=True)
    for row, expected in pairs:
        assert row == pytest.approx(expected, rel=1e-4)


def test_trials_of_different_schedules_train_in_one_pack(tmp_path: Path, tiny: Compose) -> None:
    trials = {
        "linear": tiny(*REPORTS, "optimizer.schedule=linear", "optimizer.end_factor=0.1"),
        "wsd": tiny(*REPORTS, "optimizer.schedule=wsd", "optimizer.decay_fraction=0.5"),
        "warm": tiny(*REPORTS, "optimizer.warmup_steps=12", "optimizer.learning_rate=0.1"),
    }
    assert len({json.dumps(pack_key(values), sort_keys=True) for values in trials.values()}) == 1
    assert pack_key(trials["wsd"]) != pack_key(tiny(*REPORTS))
    found = train_pack(tmp_path / "pack", trials)
    assert {trial.status for trial in found.values()} == {"finished"}
    for name, values in trials.items():
        run(tmp_path / name, values)
        rows = zip(history(tmp_path / "pack" / name), history(tmp_path / name), strict=True)
        for row, expected in rows:
            assert row == pytest.approx(expected, rel=1e-4)


def test_identity_has_what_a_schedule_uses(tiny: Compose) -> None:
    def key(*options: str) -> str:
        return fingerprint(identify(tiny(*options)))

    earlier = tiny()
    for name in ("warmup_steps", "end_factor", "decay_fraction"):
        del earlier["optimizer"][name]
    assert key() == fingerprint(identify(earlier))
    assert key() == key("optimizer.end_factor=0.5", "optimizer.decay_fraction=0.5")
    assert key() != key("optimizer.warmup_steps=5")
    cosine = "optimizer.schedule=cosine"
    assert key(cosine) not in (key(), key("optimizer.schedule=linear"))
    assert key(cosine) == key(cosine, "optimizer.decay_fraction=0.5")
    assert key(cosine) != key(cosine, "optimizer.end_factor=0.5")


def test_schedule_by_update_refuses_what_decays_by_epoch(tiny: Compose) -> None:
    for option in ("optimizer.hold_epochs=3", "optimizer.decay=0.5"):
        with pytest.raises(UserError, match="linear lowers the rate at each update"):
            parse_config(tiny("optimizer.schedule=linear", option))
