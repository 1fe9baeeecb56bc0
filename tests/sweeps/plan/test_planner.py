"""All trials are composed, checked and named before anything runs."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from sweeps.config import SearchConfig
from sweeps.errors import UserError
from sweeps.plan.planner import Identify, PlannedTrial, PlannedTrials, Planner
from sweeps.search.samplers import all_settings
from sweeps.search.space import Axis, Space, Value

RATE = Axis("train.rate", (Value("train.rate=1", "1"), Value("train.rate=2", "2")))
SAME = Axis("same", (Value("same=a", "a"), Value("same=b", "b")))


def compose(overrides: Sequence[str]) -> tuple[Mapping[str, Any], Mapping[str, str]]:
    return dict(item.split("=") for item in overrides), {"group": "file"}


def plan_all(space: Space, identify: Identify) -> PlannedTrials:
    found = all_settings(space, SearchConfig("grid", None, 0))
    return Planner(
        space=space, compose=compose, identify=identify, train_command="python -m app"
    ).trials(found)


def plan(space: Space, identify: Identify) -> Sequence[PlannedTrial]:
    return plan_all(space, identify).trials


def test_trial_has_settings_and_the_overrides_that_make_it() -> None:
    first, second = plan(Space((RATE,), ("seed=3", "sweep.name=x")), lambda config: config)
    assert first.spec.overrides == ("seed=3", "sweep.name=x", "train.rate=1")
    assert first.spec.config == {"seed": "3", "sweep.name": "x", "train.rate": "1"}
    assert first.spec.settings == {"train.rate": "1"}
    assert first.spec.choices == {"group": "file"}
    assert first.spec.fingerprint != second.spec.fingerprint


def test_command_of_a_trial_says_nothing_of_its_sweep() -> None:
    sweep = "+sweep=grid", "sweep.name=x", "search=random", "search.trials=4", "scheduler=asha"
    own = "+sweep=grid", "train.rate=1"
    trial = plan(Space((RATE,), (*sweep, "ray.address=host:1")), lambda config: config)[0]
    assert trial.spec.train_command == f"python -m app {' '.join(own)}"


@pytest.mark.parametrize(
    ("output_dir", "kept"),
    [
        ("results", True),
        ("s3://bucket/x", False),
        ("file\\:///x", False),
        ("'s3://bucket/x y'", False),
        ("'a: b'", True),
    ],
)
def test_command_of_a_trial_names_a_folder_and_no_url(output_dir: str, kept: bool) -> None:
    trial = plan(Space((RATE,), (f"output_dir={output_dir}",)), lambda config: config)[0]
    assert ("output_dir" in trial.spec.train_command) == kept


def test_trials_that_compute_the_same_are_planned_once() -> None:
    trials = plan(Space((RATE, SAME), ()), lambda config: {"rate": config["train.rate"]})
    assert [dict(trial.spec.settings) for trial in trials] == [
        {"train.rate": "1", "same": "a"},
        {"train.rate": "2", "same": "a"},
    ]


@pytest.mark.parametrize(
    ("keys", "notice"),
    [
        (["train.rate", "same"], ""),
        (
            ["train.rate"],
            "4 settings are 2 trials: those that differ only in same compute the same, and the "
            "first of them is trained.",
        ),
        (
            [],
            "4 settings are 1 trial: those that differ only in train.rate, same compute the same, "
            "and the first of them is trained.",
        ),
    ],
)
def test_axes_that_change_nothing_are_told(keys: list[str], notice: str) -> None:
    found = plan_all(Space((RATE, SAME), ()), lambda config: {key: config[key] for key in keys})
    assert found.notice == notice


def test_one_invalid_trial_stops_the_plan() -> None:
    def identify(config: Mapping[str, Any]) -> Mapping[str, Any]:
        if config["train.rate"] == "2":
            raise UserError("train.rate=2 is out of range.")
        return config

    with pytest.raises(UserError, match="rate=2"):
        plan(Space((RATE,), ()), identify)
