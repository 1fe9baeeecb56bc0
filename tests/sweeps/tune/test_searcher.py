"""A search that learns: what it is told, what it names next, and how it goes on."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sweeps.config import Objective
from sweeps.plan.pending import AdaptiveSearch, PendingTrials
from sweeps.search.optuna_study import Observation
from sweeps.store import Trial, read_trial
from sweeps.tracking import Diverged, Run
from sweeps.tune.searcher import ATTEMPTS, Suggestions

LOSS = Objective(tag="loss", mode="min")
SPEED = Objective(tag="speed", mode="max")


class Script:
    """Suggests 0, 1, 2 ... and notes what it is told."""

    def __init__(self, known: Sequence[Observation], most: int = 10**6) -> None:
        self.known, self.most, self.told = known, most, dict[str, Sequence[float] | None]()
        self.count = 0
        self.is_finished = False

    def suggest(self, key: str) -> Sequence[float] | None:
        self.is_finished = self.count >= self.most
        if self.is_finished:
            return None
        self.count += 1
        return [self.count - 1]

    def complete(self, key: str, values: Sequence[float] | None) -> None:
        self.told[key] = values


def trained(folder: Path, *reports: dict[str, float], diverges: bool = False) -> Trial:
    folder.mkdir(parents=True)
    try:
        with Run(folder, metric="loss", mode="min") as run:
            for step, metrics in enumerate(reports, start=1):
                run.report(step, metrics)
            if diverges:
                raise Diverged(len(reports))
    except Diverged:
        pass
    return read_trial(folder)


def suggestions(
    tmp_path: Path,
    *,
    history: Sequence[Trial] = (),
    warm: Sequence[Trial] = (),
    begun: Sequence[Path] = (),
    objectives: Sequence[Objective] = (LOSS,),
    known: int = 0,
    most: int = 10**6,
) -> tuple[Suggestions, Script]:
    """Of a search whose first positions, as many as `known`, have a trial already."""
    made: list[Script] = []

    def make_trial(position: Sequence[float]) -> Path | None:
        return tmp_path / f"made{position[0]:g}" if position[0] >= known else None

    def make(observations: Sequence[Observation]) -> Script:
        made.append(Script(observations, most))
        return made[0]

    search = AdaptiveSearch(
        dimensions=[],
        history_positions=[[float(place)] for place in range(len(history))],
        make_trial=make_trial,
        num_trials=9,
        warm_start=[([100.0 + place], trial) for place, trial in enumerate(warm)],
    )
    pending = PendingTrials(directories=begun, num_done=0, history=history, search=search)
    return Suggestions(pending, objectives, make), made[0]


def test_searcher_knows_earlier_sweeps_first_then_the_trials_that_are_done(tmp_path: Path) -> None:
    warm = [trained(tmp_path / "w", {"loss": 5.0})]
    history = [trained(tmp_path / "a", {"loss": 2.0}, {"loss": 1.0}), trained(tmp_path / "b")]
    _, script = suggestions(tmp_path, history=history, warm=warm)
    assert script.known == [
        Observation(position=[100.0], values=[5.0]),
        Observation(position=[0.0], values=[1.0]),
    ]


def test_diverged_trial_counts_as_the_worst_so_far(tmp_path: Path) -> None:
    nan = float("nan")
    history = [
        trained(tmp_path / "a", {"loss": nan}, diverges=True),  # nothing is known yet
        trained(tmp_path / "b", {"loss": 1.0, "speed": 9.0}),
        trained(tmp_path / "c", {"loss": 3.0, "speed": 20.0}),
        trained(tmp_path / "d", {"loss": nan}, diverges=True),
    ]
    _, script = suggestions(tmp_path, history=history)
    assert [one.values for one in script.known] == [[1.0], [3.0], [3.0]]
    _, script = suggestions(tmp_path, history=history, objectives=(LOSS, SPEED))
    assert [one.values for one in script.known] == [[1.0, 9.0], [3.0, 20.0], [3.0, 9.0]]


def test_further_objectives_are_taken_at_the_step_of_the_best_value(tmp_path: Path) -> None:
    reports = {"loss": 2.0, "speed": 7.0}, {"loss": 1.0, "speed": 8.0}, {"loss": 4.0, "speed": 9.0}
    history = [trained(tmp_path / "a", *reports), trained(tmp_path / "b", {"loss": 1.0})]
    _, script = suggestions(tmp_path, history=history, objectives=(LOSS, SPEED))
    assert [one.values for one in script.known] == [[1.0, 8.0]]  # b never reported a speed


def test_begun_trials_come_first_and_known_ones_are_passed_over(tmp_path: Path) -> None:
    found, script = suggestions(tmp_path, begun=[tmp_path / "begun"], known=3)
    assert found.next("x") == tmp_path / "begun"
    assert found.next("y") == tmp_path / "made3"
    assert script.told == {"y/0": None, "y/1": None, "y/2": None}
    trained(tmp_path / "made3", {"loss": 0.5})
    found.ended("y")
    assert script.told["y/3"] == [0.5]


def test_search_that_was_long_before_skips_all_that_it_suggested(tmp_path: Path) -> None:
    """A sampler that does not learn begins its sequence again."""
    count = ATTEMPTS + 50
    history = [trained(tmp_path / "a", {"loss": 1.0})] * count
    found, _ = suggestions(tmp_path, history=history, known=count)
    assert found.next("x") == tmp_path / f"made{count}"


def test_search_ends_where_there_is_no_more(tmp_path: Path) -> None:
    found, _ = suggestions(tmp_path, known=ATTEMPTS)
    assert found.next("x") is None
    assert found.is_exhausted
    found, _ = suggestions(tmp_path, most=1)
    assert found.next("x") == tmp_path / "made0"
    assert not found.is_exhausted
    assert found.next("y") is None
    assert found.is_exhausted


@pytest.mark.usefixtures("joined")
@pytest.mark.slow
def test_parts_of_ones_own_search_stop_and_hear(toy: Any) -> None:
    axes = ["rate=interval(0.05,0.4)", "shape=small,large", "sweep.name=own", "steps=6"]
    parts = [
        "search.kind=toy_parts.Middle",
        "search.arguments={shrink:0.8}",
        "scheduler=custom",
        "scheduler.kind=toy_parts.StopAt",
        "scheduler.arguments={time:3}",
        "ray.callbacks=[toy_parts.Notes]",
    ]
    done = toy("--multirun", *axes, *parts, "search.trials=3")
    assert done.returncode == 0, done.stderr
    rows = toy.rows("own")
    assert sorted(float(row["rate"]) for row in rows) == [0.2292, 0.274, 0.33]
    assert {row["shape"] for row in rows} == {"small", "large"}
    for row in rows:
        assert row["status"] == "stopped"
        trial = read_trial(toy.folder / row["directory"])
        assert trial.error == "by toy_parts.StopAt at step 3"
        assert not {"search", "scheduler", "ray"} & {
            word.partition(".")[0] for word in row["command"].split()
        }
    assert sorted((toy.folder / "notes.txt").read_text().split()) == sorted(
        row["trial"] for row in rows
    )
    more = toy("--multirun", *axes, *parts, "search.trials=4")
    assert "4 trials, 3 of them done before" in more.stdout
    assert "toy_parts.Middle cannot be told of trials that are done" in more.stdout
    assert {row["trial"] for row in rows} < {row["trial"] for row in toy.rows("own")}


@pytest.mark.usefixtures("joined")
@pytest.mark.slow
def test_search_learns_from_earlier_sweeps_and_of_several_metrics(toy: Any) -> None:
    grid = toy("--multirun", "rate=0.05,0.2,0.3", "shape=small,large", "sweep.name=g", "steps=3")
    assert grid.returncode == 0, grid.stderr
    before = {path: path.stat().st_mtime_ns for path in (toy.outputs / "g").rglob("*")}
    search = [
        "--multirun",
        "rate=interval(0.01,0.3)",
        "shape=small,large",
        "sweep.name=o",
        "steps=3",
        "search=optuna",
        "search.sampler=nsgaii",
        "search.warm_start=[outputs/g]",
        "search.first=['rate=0.1234,shape=large','shape=small']",
        "sweep.objectives=['train/x:max']",
    ]
    done = toy(*search, "search.trials=4")
    assert done.returncode == 0, done.stderr
    assert "The search knows 6 of 6 trials in outputs/g." in done.stdout
    rows = toy.rows("o")
    assert len(rows) == 4
    assert ("0.1234", "large") in {(row["rate"], row["shape"]) for row in rows}
    # Of x**2 and x neither can be better without the other being worse.
    assert [row["pareto"] for row in rows] == ["front"] * 4
    assert "Pareto" in done.stdout
    sweep = json.loads((toy.outputs / "o" / "sweep.json").read_text())
    assert sweep["objectives"] == ["train/x:max"]
    assert {path: path.stat().st_mtime_ns for path in (toy.outputs / "g").rglob("*")} == before

    more = toy(*search, "search.trials=6")
    assert "6 trials, 4 of them done before" in more.stdout
    assert {row["trial"] for row in rows} < {row["trial"] for row in toy.rows("o")}


@pytest.mark.slow
@pytest.mark.usefixtures("joined")
@pytest.mark.parametrize("sampler", ["gp", "cmaes", "qmc", "nsgaii", "optuna.samplers.TPESampler"])
def test_search_with_each_sampler_goes_on_later(toy: Any, sampler: str) -> None:
    if package := {"gp": "torch", "cmaes": "cmaes"}.get(sampler):
        pytest.importorskip(package)
    search = [
        "--multirun",
        "rate=tag(log,interval(1e-4,0.4))",
        "seed=0,1,2",
        "sweep.name=s",
        "steps=3",
        "search=optuna",
        f"search.sampler={sampler}",
    ]
    done = toy(*search, "search.trials=12")
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    first = {row["trial"] for row in toy.rows("s")}
    more = toy(*search, "search.trials=15")
    assert more.returncode == 0, more.stderr
    assert "15 trials, 12 of them done before" in more.stdout
    rows = toy.rows("s")
    assert len(rows) == 15
    assert first < {row["trial"] for row in rows}
