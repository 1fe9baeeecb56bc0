"""Optuna's samplers by name, and what they learn."""

import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from sweeps.config import Objective, SearchConfig, objectives_of, parse_objective
from sweeps.config.options import SAMPLERS, FrameworkConfig, SweepConfig, check_combinations
from sweeps.errors import UserError
from sweeps.search import Dimension, dimensions
from sweeps.search.command_line import parse_overrides
from sweeps.search.optuna_study import NAMED, Observation, OptunaStudy, check_sampler
from sweeps.search.space import build_space

MIN = (Objective(tag="loss", mode="min"),)
BOTH = (*MIN, Objective(tag="accuracy", mode="max"))
NUMBERS = ("rate=tag(log,interval(1e-4,1.0))", "size=64,256,128", "depth=int(interval(1,6))")
WORDS = (*NUMBERS, "cell=rnn,gru,lstm")


def found(*texts: str, zipped: Sequence[Sequence[str]] = ()) -> list[Dimension]:
    return dimensions(build_space((), parse_overrides(list(texts))), zipped)


def options(sampler: str = "tpe", **more: Any) -> SearchConfig:
    return SearchConfig(kind="optuna", trials=30, seed=7, sampler=sampler, **more)


def loss(position: Sequence[float]) -> float:
    return sum((float(number) - 1.5) ** 2 for number in position)


def run(
    study: OptunaStudy, count: int, score: Callable[[Sequence[float]], Sequence[float] | None]
) -> list[list[float]]:
    positions = []
    for index in range(count):
        positions.append(study.suggest(str(index)))
        study.complete(str(index), score(positions[-1]))
    return positions


def single(position: Sequence[float]) -> list[float]:
    return [loss(position)]


def test_tpe_suggests_what_ray_tune_has_it_suggest() -> None:
    """A sweep that goes on after an update of this program gets the suggestions it got before."""
    optuna_search = pytest.importorskip("ray.tune.search.optuna")
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    space = {
        "d0": FloatDistribution(1e-4, 1.0, log=True),
        "d1": CategoricalDistribution(range(3)),
        "d2": IntDistribution(1, 6),
        "d3": CategoricalDistribution(range(3)),
    }
    theirs = optuna_search.OptunaSearch(space=space, metric="score", mode="max", seed=7)
    earlier = [(0.01, 2, 3, 1), (0.2, 0, 5, 2)]
    for position in earlier:
        theirs.add_evaluated_point({f"d{i}": x for i, x in enumerate(position)}, loss(position))
    known = [Observation(position=one, values=[loss(one)]) for one in earlier]
    ours = OptunaStudy(found(*WORDS), options(), [Objective(tag="x", mode="max")], known)
    for index in range(25):
        expected = theirs.suggest(str(index))
        position = ours.suggest(str(index))
        assert position == [expected[f"d{place}"] for place in range(4)]
        failed = index % 5 == 3
        result = None if failed else {"score": loss(position)}
        theirs.on_trial_complete(str(index), result, error=failed)
        ours.complete(str(index), None if failed else [loss(position)])


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_each_sampler_suggests_inside_the_space_and_the_same_again(sampler: str) -> None:
    if NAMED[sampler].package:
        pytest.importorskip(NAMED[sampler].package)
    space = found(*(NUMBERS if sampler == "cmaes" else WORDS))
    check_sampler(space, options(sampler), MIN)
    # GP fits a model at each suggestion from the eleventh on.
    first, again = (run(OptunaStudy(space, options(sampler), MIN), 12, single) for _ in range(2))
    assert first == again
    for position in first:
        assert 1e-4 <= position[0] <= 1
        assert position[1] in (0, 1, 2)
        assert position[2] in range(1, 7)
    assert len({tuple(position) for position in first}) > 6


def test_genes_of_a_resumed_generation_are_those_of_its_parents() -> None:
    space = found(*(f"{name}=interval(-2.0,18.0)" for name in "abcdefgh"))
    draw = random.Random(0)
    tried = [tuple(draw.uniform(-2, 18) for _ in range(8)) for _ in range(60)]
    known = [Observation(position=one, values=[loss(one)]) for one in tried]
    children = run(OptunaStudy(space, options("nsgaii"), MIN, known), 8, single)
    genes = {number for one in tried for number in one}
    inherited = [number for one in children for number in one if number in genes]
    assert len(inherited) >= 40  # of 64; the others are mutations


@pytest.mark.parametrize("sampler", ["gp", "cmaes", "tpe"])
def test_a_sampler_that_learns_goes_on_from_what_an_earlier_run_tried(sampler: str) -> None:
    """A resumed search suggests better positions than one that begins."""
    if NAMED[sampler].package:
        pytest.importorskip(NAMED[sampler].package)
    space = found("x=interval(-2.0,18.0)", "y=interval(-2.0,18.0)")
    draw = random.Random(0)
    tried = [(1.5 + draw.random(), 1.5 + 2 * draw.random()) for _ in range(60)]
    known = [Observation(position=one, values=[loss(one)]) for one in tried]
    fresh = run(OptunaStudy(space, options(sampler), MIN), 8, single)
    resumed = run(OptunaStudy(space, options(sampler), MIN, known), 8, single)
    assert sorted(map(loss, resumed))[1] < sorted(map(loss, fresh))[1] / 2


def test_the_quasi_random_sequence_begins_again_where_a_search_goes_on() -> None:
    """So that what is suggested again is known, and skipped."""
    space = found("x=interval(0.0,1.0)", "cell=rnn,gru")
    fresh = run(OptunaStudy(space, options("qmc"), MIN), 9, single)
    known = [Observation(position=one, values=[0.0]) for one in fresh[:4]]
    again = run(OptunaStudy(space, options("qmc"), MIN, known), 8, single)
    assert again == fresh[1:]


@pytest.mark.parametrize("sampler", ["gp", "cmaes", "qmc"])
def test_listed_numbers_are_in_order_for_samplers_of_numbers(sampler: str) -> None:
    if NAMED[sampler].package:
        pytest.importorskip(NAMED[sampler].package)
    space = found("size=64,256,128", "y=interval(0.0,1.0)")
    sizes = [64, 256, 128]
    draw = random.Random(1)
    tried = [(draw.randrange(3), draw.random()) for _ in range(40)]
    known = [Observation(position=one, values=[-sizes[one[0]] + one[1]]) for one in tried]
    study = OptunaStudy(space, options(sampler), MIN, known)
    positions = run(study, 6, lambda one: [-sizes[int(one[0])] + one[1]])
    assert {position[0] for position in positions} <= {0, 1, 2}
    if sampler != "qmc":  # it learns nothing
        assert [position[0] for position in positions].count(1) >= 4


@pytest.mark.parametrize("sampler", ["tpe", "nsgaii", "qmc"])
def test_first_positions_come_first_and_what_they_leave_open_is_suggested(sampler: str) -> None:
    firsts = [(0.5, 1, None, None), (0.25, 2, 3, 0)]
    study = OptunaStudy(found(*WORDS), options(sampler), MIN, (), firsts)
    one, two, three = run(study, 3, single)
    assert one[:2] == [0.5, 1]
    assert one[2] in range(1, 7)
    assert two == [0.25, 2, 3, 0]
    assert three[0] not in (0.5, 0.25)


@pytest.mark.parametrize(("sampler", "before"), [("tpe", 60), ("nsgaii", 400), ("gp", 20)])
def test_several_objectives_are_optimised_together(sampler: str, before: int) -> None:
    if NAMED[sampler].package:
        pytest.importorskip(NAMED[sampler].package)
    space = found("x=interval(0.0,1.0)", "y=interval(0.0,1.0)")
    check_sampler(space, options(sampler), BOTH)
    # loss is lowest at x=0, accuracy highest at x=1: only y=0 is good for both.
    draw = random.Random(2)
    tried = [(draw.random(), draw.random()) for _ in range(before)]

    def both(one: Sequence[float]) -> list[float]:
        return [one[0] + 5 * one[1], one[0] - 5 * one[1]]

    known = [Observation(position=one, values=both(one)) for one in tried]
    count = 3 if sampler == "gp" else 10  # each suggestion of GP takes half a second
    positions = run(OptunaStudy(space, options(sampler), BOTH, known), count, both)
    assert sorted(position[1] for position in positions)[count // 2] < 0.3
    assert max(one[0] for one in positions) - min(one[0] for one in positions) > 0.3


@pytest.mark.parametrize(
    ("texts", "zipped", "sampler", "sentence"),
    [
        (WORDS, [], "cmaes", "takes numbers alone, and cell is none; leave it out or take tpe"),
        (
            ("a=1,2", "b=3,4", "c=interval(0,1)"),
            [["a", "b"]],
            "cmaes",
            r"takes numbers alone, and a\+b is none",
        ),
        (("a=1,2", "b=3"), [], "cmaes", "needs two axes or more"),
        (NUMBERS, [], "optuna.samplers.Nothing", "cannot be imported .* or mend the name"),
        (NUMBERS, [], "nothing.Sampler", "cannot be imported"),
        (NUMBERS, [], "pathlib.Path", "is no sampler of Optuna"),
        (NUMBERS, [], "sys.path", "neither a class nor a function"),
        (NUMBERS, [], "optuna.samplers.GridSampler", "cannot be made with search.arguments={}"),
    ],
)
def test_what_a_sampler_cannot_search_is_one_sentence(
    texts: tuple[str, ...], zipped: list[list[str]], sampler: str, sentence: str
) -> None:
    if sampler == "cmaes":
        pytest.importorskip("cmaes")
    with pytest.raises(UserError, match=sentence):
        check_sampler(found(*texts, zipped=zipped), options(sampler), MIN)


@pytest.mark.parametrize("name", ["gp", "cmaes"])
def test_a_package_that_is_not_installed_is_named(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = NAMED[name].package
    monkeypatch.setattr(
        "sweeps.search.optuna_study.find_spec", lambda one: None if one == package else object()
    )
    with pytest.raises(UserError, match=rf"needs the package {package}; pip install 'lm-sweeps\["):
        check_sampler(found(*NUMBERS), options(name), MIN)


def test_arguments_reach_the_sampler_and_wrong_ones_are_refused() -> None:
    check_sampler(found(*WORDS), options(arguments={"n_startup_trials": 2}), MIN)
    with pytest.raises(UserError, match=r"search.arguments=\{'startup': 2\} \(TypeError"):
        check_sampler(found(*WORDS), options(arguments={"startup": 2}), MIN)


def test_a_sampler_of_ones_own_gets_the_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_samplers.py").write_text(
        "import optuna\n\n"
        "def seeded(seed):\n"
        "    return optuna.samplers.RandomSampler(seed=seed)\n\n"
        "def single(seed=None):\n"
        "    sampler = optuna.samplers.RandomSampler(seed=seed)\n"
        "    def refuse(study, *rest):\n"
        "        sampler._raise_error_if_multi_objective(study)\n"
        "        return {}\n"
        "    sampler.sample_relative = refuse\n"
        "    return sampler\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    space = found(*WORDS)
    first, again = (
        run(OptunaStudy(space, options("my_samplers.seeded"), MIN), 5, single) for _ in range(2)
    )
    assert first == again
    check_sampler(space, options("my_samplers.single"), MIN)
    with pytest.raises(UserError, match="cannot search these axes"):
        check_sampler(space, options("my_samplers.single"), BOTH)
    sys.modules.pop("my_samplers")


@pytest.mark.parametrize(
    ("search", "objectives", "sentence"),
    [
        ({"kind": "optima"}, [], "search.kind=optima is not known; choose one of grid, random"),
        ({"sampler": "cma"}, [], "search.sampler=cma is not known; choose one of tpe, gp, cmaes"),
        ({"kind": "random", "sampler": "gp"}, [], "search.sampler=gp has no meaning for"),
        ({"kind": "random", "warm_start": ["a"]}, [], "search.warm_start has no meaning for"),
        ({"kind": "grid", "arguments": {"a": 1}}, [], "search.arguments has no meaning for"),
        ({"kind": "grid", "first": ["a=1"]}, [], "search.first has no meaning for search=grid"),
        ({"kind": "pkg.Mine", "first": ["a=1"]}, [], "which chooses by itself"),
        ({"trials": 1, "first": ["a=1", "a=2"]}, [], "2 settings, more than search.trials=1"),
        ({"sampler": "cmaes"}, ["x"], "search.sampler=cmaes optimises one metric"),
        ({"sampler": "qmc"}, ["x"], "search.sampler=qmc optimises one metric"),
        ({"kind": "pkg.Mine"}, ["x:max"], "search.kind=pkg.Mine optimises one metric"),
        ({}, ["value:max"], "value stands twice among sweep.metric and sweep.objectives"),
        ({}, ["a", "a:min"], "a stands twice"),
        ({}, [":max"], "sweep.objectives has an empty tag"),
    ],
)
def test_options_that_do_not_fit_are_one_sentence(
    search: dict[str, Any], objectives: list[str], sentence: str
) -> None:
    chosen = SearchConfig(**{"kind": "optuna", "trials": 5, **search})
    with pytest.raises(UserError, match=sentence):
        check_combinations(FrameworkConfig(search=chosen, sweep=SweepConfig(objectives=objectives)))


@pytest.mark.parametrize(
    ("text", "tag", "mode"),
    [
        ("loss", "loss", "min"),
        ("test/acc:max", "test/acc", "max"),
        ("a:b", "a:b", "min"),
        ("a:b:min", "a:b", "min"),
        ("max", "max", "min"),
    ],
)
def test_an_objective_is_a_tag_and_perhaps_a_mode(text: str, tag: str, mode: str) -> None:
    assert parse_objective(text) == Objective(tag=tag, mode=mode)


def test_the_ranking_metric_is_the_first_objective() -> None:
    sweep = SweepConfig(metric="acc", mode="max", objectives=["time"])
    assert [(one.tag, one.mode) for one in objectives_of(sweep)] == [
        ("acc", "max"),
        ("time", "min"),
    ]
