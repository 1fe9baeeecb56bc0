"""All trials are composed, checked and named before anything runs."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from sweeps.errors import UserError
from sweeps.plan import plan
from sweeps.space import Axis, Space, Value

RATE = Axis("train.rate", (Value("train.rate=1", "1"), Value("train.rate=2", "2")))
SAME = Axis("same", (Value("same=a", "a"), Value("same=b", "b")))


def compose(overrides: Sequence[str]) -> Mapping[str, Any]:
    return dict(item.split("=") for item in overrides)


def test_trial_has_name_settings_and_the_overrides_that_make_it() -> None:
    first, second = plan(Space((RATE,), ("seed=3",)), compose, lambda config: config)
    assert first.overrides == ("seed=3", "train.rate=1")
    assert first.config == {"seed": "3", "train.rate": "1"}
    assert first.settings == {"train.rate": "1"}
    assert first.name == f"rate=1,id={first.fingerprint[:6]}"
    assert first.fingerprint != second.fingerprint


def test_trials_that_compute_the_same_are_planned_once() -> None:
    trials = plan(Space((RATE, SAME), ()), compose, lambda config: {"rate": config["train.rate"]})
    assert [dict(trial.settings) for trial in trials] == [
        {"train.rate": "1", "same": "a"},
        {"train.rate": "2", "same": "a"},
    ]


def test_one_invalid_trial_stops_the_plan() -> None:
    def identify(config: Mapping[str, Any]) -> Mapping[str, Any]:
        if config["train.rate"] == "2":
            raise UserError("train.rate=2 is out of range.")
        return config

    with pytest.raises(UserError, match="rate=2"):
        plan(Space((RATE,), ()), compose, identify)
