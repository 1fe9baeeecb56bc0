"""Schedulers, searchers and callbacks of Ray Tune that options name by dotted path."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sweeps.config import (
    CustomSchedulerConfig,
    FrameworkConfig,
    RayConfig,
    SearchConfig,
    SweepConfig,
    parse_framework_config,
)
from sweeps.errors import UserError
from sweeps.search import Dimension, dimensions
from sweeps.search.command_line import parse_overrides
from sweeps.search.optuna_study import Observation
from sweeps.search.space import build_space
from sweeps.tune.custom_parts import check_custom, custom_callbacks
from sweeps.tune.custom_searcher import CustomSearcher
from sweeps.tune.schedulers import build_scheduler

RANKING = SweepConfig(metric="loss", mode="max")


@pytest.fixture(autouse=True)
def toy_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "helpers")


def scheduler(kind: str, **arguments: Any) -> CustomSchedulerConfig:
    return CustomSchedulerConfig(kind=kind, time="step", arguments=arguments)


def search(kind: str, **arguments: Any) -> SearchConfig:
    return SearchConfig(kind=kind, trials=9, arguments=arguments)


def found(*texts: str, zipped: Sequence[Sequence[str]] = ()) -> list[Dimension]:
    return dimensions(build_space((), parse_overrides(list(texts))), zipped)


@pytest.mark.parametrize(
    ("options", "at"),
    [(scheduler("toy_parts.StopAt", time=2), 2), (scheduler("toy_parts.stop_at_three"), 3)],
    ids=["class", "function"],
)
def test_scheduler_of_ones_own_gets_scores_alone_and_says_whom_it_stops(
    options: CustomSchedulerConfig, at: int
) -> None:
    handle = build_scheduler(options, RANKING, {})
    trial = type("Trial", (), {"trial_id": "one"})()
    decisions = []
    for time in range(1, at + 1):
        handle.scheduler.on_trial_result(None, trial, {"score": None})
        decisions.append(
            handle.scheduler.on_trial_result(None, trial, {"score": 1.0, "time": time})
        )
    assert decisions == ["CONTINUE"] * (at - 1) + ["STOP"]
    assert handle.stopped == {"one": f"by {options.kind} at step {at}"}


@pytest.mark.parametrize(
    ("path", "arguments"),
    [
        ("ray.tune.schedulers.AsyncHyperBandScheduler", {"grace_period": 2}),
        ("ray.tune.schedulers.ASHAScheduler", {}),
        ("ray.tune.schedulers.MedianStoppingRule", {"time_attr": "time"}),
        ("ray.tune.schedulers.FIFOScheduler", {}),
    ],
)
def test_schedulers_of_tune_get_metric_mode_and_time(path: str, arguments: dict[str, Any]) -> None:
    made = build_scheduler(scheduler(path, **arguments), RANKING, {}).scheduler
    assert made.metric == "score"
    if hasattr(made, "_time_attr"):
        assert made._time_attr == "time"
    signs = [getattr(made, name) for name in ("_metric_op", "_worst") if hasattr(made, name)]
    assert signs in ([], [1.0], [float("-inf")])  # the mode is max


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (scheduler("toy_parts.Nothing"), "scheduler.kind=toy_parts.Nothing cannot be imported"),
        (scheduler("no.such.Thing"), "scheduler.kind=no.such.Thing cannot be imported"),
        (scheduler("toy_parts.StopAt"), r"scheduler.arguments=\{\} \(TypeError: .*'time'\); mend"),
        (scheduler("pathlib.Path"), "gives a .*Path, and no ray.tune.schedulers.TrialScheduler"),
        (search("toy_parts.Nothing"), "search.kind=toy_parts.Nothing cannot be imported"),
        (search("toy_parts.Middle", size=1), r"search.arguments=\{'size': 1\} \(TypeError"),
        (search("toy_parts.StopAt", time=1), "gives a StopAt, and no ray.tune.search.Searcher"),
        (RayConfig(callbacks=["toy_parts.Nothing"]), "ray.callbacks=toy_parts.Nothing cannot be"),
        (RayConfig(callbacks=["toy_parts.StopAt"]), "name a class that takes no arguments"),
        (RayConfig(callbacks=["pathlib.Path"]), "Path, and no ray.tune.Callback"),
    ],
    ids=str,
)
def test_what_cannot_be_made_is_one_sentence_before_ray_starts(options: Any, sentence: str) -> None:
    names = {CustomSchedulerConfig: "scheduler", SearchConfig: "search", RayConfig: "ray"}
    with pytest.raises(UserError, match=sentence):
        check_custom(FrameworkConfig(**{names[type(options)]: options}))


def test_callbacks_are_made() -> None:
    made = custom_callbacks(RayConfig(callbacks=["toy_parts.Notes", "ray.tune.Callback"]))
    assert [type(one).__name__ for one in made] == ["Notes", "Callback"]


def test_searcher_of_ones_own_gets_domains_and_gives_positions() -> None:
    from ray.tune.search import sample

    space = found(
        "rate=interval(0.0,1.0)",
        "n=int(interval(1,9))",
        "size=64,256,128",
        "cell=rnn,gru",
        "a=1,2",
        "b=3,4",
        zipped=[["a", "b"]],
    )
    searcher = CustomSearcher(space, search("toy_parts.Middle", most=2), "max")
    inner = searcher._searcher
    assert inner.metric == "score"
    assert inner.mode == "max"
    domains = inner.space
    assert list(domains) == ["rate", "n", "size", "cell", "a+b"]
    assert isinstance(domains["rate"], sample.Float)
    assert (domains["n"].lower, domains["n"].upper) == (1, 10)
    assert domains["size"].categories == [64, 256, 128]
    assert domains["a+b"].categories == ["1+3", "2+4"]
    assert searcher.suggest("x") == [0.5, 5.5, 1, 1, 1]
    searcher.complete("x", [0.25])
    searcher.complete("y", None)
    assert inner.told == [("x", 0.25), ("y", None)]
    searcher.suggest("z")
    assert not searcher.is_finished
    assert searcher.suggest("end") is None
    assert searcher.is_finished


def test_searcher_of_tune_learns_from_earlier_trials_where_it_can() -> None:
    space = found("rate=tag(log,interval(1e-3,1))", "n=int(interval(1,9))", "cell=rnn,gru")
    known = [Observation(position=(0.1, 3, 1), values=[2.0])]
    said: list[str] = []
    path = "ray.tune.search.optuna.OptunaSearch"
    optuna = CustomSearcher(space, search(path, seed=3), "min", known, say=said.append)
    (trial,) = optuna._searcher._ot_study.trials
    assert trial.params == {"rate": 0.1, "n": 3, "cell": "gru"}
    position = optuna.suggest("x")
    assert position is not None
    assert 1e-3 <= position[0] <= 1
    assert position[2] in (0, 1)
    assert not said
    CustomSearcher(space, search("toy_parts.Middle"), "min", known, say=said.append)
    assert said == [
        "toy_parts.Middle cannot be told of trials that are done (it has no add_evaluated_point); "
        "it begins without them."
    ]


def test_groups_of_files_are_axes_of_a_searcher_of_tune() -> None:
    axes = parse_overrides(["db/kind=a,b"])
    space = dimensions(build_space((), axes), [])
    searcher = CustomSearcher(space, search("ray.tune.search.optuna.OptunaSearch", seed=1), "min")
    assert searcher.suggest("x") in ([0], [1])


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        ({"kind": "custom", "arguments": {}}, "scheduler=custom needs a dotted path; give"),
        ({"kind": "ahsa"}, "scheduler.kind=ahsa is not known; choose one of none, asha"),
        (
            {"kind": "none", "arguments": {"a": 1}},
            "scheduler.arguments has no meaning for scheduler=none, .* scheduler=custom",
        ),
    ],
)
def test_kind_of_a_scheduler_is_a_name_or_a_dotted_path(
    section: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        parse_framework_config({"scheduler": section})
    parsed = parse_framework_config({"scheduler": {"kind": "a.B", "arguments": {"c": [1]}}})
    assert parsed.scheduler == CustomSchedulerConfig(kind="a.B", time="step", arguments={"c": [1]})


def test_packs_leave_schedulers_of_ones_own_alone() -> None:
    section = {"scheduler": {"kind": "a.B"}, "sweep": {"pack": "4"}}
    with pytest.raises(
        UserError, match=r"sweep.pack=4 packs trials .*, and scheduler=a\.B decides"
    ):
        parse_framework_config(section)
