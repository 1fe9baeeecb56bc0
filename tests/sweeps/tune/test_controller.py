"""Nothing in the driver grows with the trials that have ended, and Tune goes through none of them.

Tune's own controller and search algorithm run here without a Ray session.
"""

import gc
import sys
import weakref
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sweeps.config import AshaConfig, CustomSchedulerConfig, RayConfig
from sweeps.plan import PendingTrials
from sweeps.plan.packs import Pack
from sweeps.plan.pending import AdaptiveSearch, Population
from sweeps.search import Axis
from sweeps.search.space import Value
from sweeps.tune import tuner
from sweeps.tune.controller import lean_controller, make_controller
from sweeps.tune.trial_list import make_trial_list
from sweeps.tune.tuner import _trial_configs


class Configs(Sequence[dict[str, Any]]):
    """Configurations that count how many were asked for."""

    def __init__(self, number: int) -> None:
        self.number, self.asked = number, list[int]()

    def __len__(self) -> int:
        return self.number

    def __getitem__(self, index: Any) -> Any:
        self.asked.append(index)
        return {"directory": f"/sweep/{index}"}


@pytest.fixture
def experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function with resources as an experiment of Tune."""
    from ray import tune
    from ray.tune.experiment import Experiment

    # Both are asked of a Ray session else.
    monkeypatch.setenv("TUNE_MAX_PENDING_TRIALS_PG", "3")
    session = "ray.train._internal.storage._get_ray_train_session_dir"
    monkeypatch.setattr(session, lambda: str(tmp_path / "session"))

    def train(config: dict[str, Any]) -> None:
        pass

    return Experiment(
        "tune",
        tune.with_resources(train, {"cpu": 1}),
        storage_path=str(tmp_path),
        trial_name_creator=lambda trial: Path(trial.config["directory"]).name,
        trial_dirname_creator=lambda trial: str(trial.trial_id),
        max_failures=2,
    )


def trial_list(experiment: Any, configs: Sequence[dict[str, Any]]) -> Any:
    found = make_trial_list(configs)
    found.add_configurations([experiment])
    return found


def test_list_makes_a_trial_when_tune_asks_for_it(experiment: Any) -> None:
    configs = Configs(3)
    found = trial_list(experiment, configs)
    assert (found.total_samples, configs.asked) == (3, [])
    first = found.next_trial()
    assert configs.asked == [0]
    assert not found.is_finished()
    others = [found.next_trial(), found.next_trial()]
    assert found.is_finished()  # at once: Tune keeps no worker for trials that may come
    assert found.next_trial() is None
    trials = [first, *others]
    assert [one.config for one in trials] == [{"directory": f"/sweep/{at}"} for at in range(3)]
    assert [str(one) for one in trials] == ["0", "1", "2"]
    assert len({one.trial_id for one in trials}) == 3
    assert all(one.max_failures == 2 for one in trials)


def test_trials_of_a_list_share_their_class_and_their_resource_request(
    experiment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray loads the class from its pickle whenever it is asked, with a request of its own."""
    from ray.tune.experiment import trial

    load, loads = trial.get_trainable_cls, list[str]()
    monkeypatch.setattr(
        trial, "get_trainable_cls", lambda name: (loads.append(name), load(name))[1]
    )
    found = trial_list(experiment, Configs(5))
    trials = [found.next_trial() for _ in range(5)]
    for one in trials:
        one.create_placement_group_factory()
        one.get_trainable_cls()
    assert len(loads) == 1
    assert len({id(one.placement_group_factory) for one in trials}) == 1
    assert trials[0].placement_group_factory.required_resources == {"CPU": 1}


def start_controller(experiment: Any, trials: int, **options: Any) -> Any:
    search = trial_list(experiment, Configs(trials))
    controller = make_controller(**options)(
        search_alg=search, storage=experiment.storage, resource_manager_factory=lambda: None
    )
    for _ in range(trials):
        controller.add_trial(search.next_trial())
    return controller


@pytest.mark.parametrize("forgets", [True, False])
def test_trial_that_has_ended_is_forgotten_where_nothing_reads_it_any_more(
    experiment: Any, forgets: bool
) -> None:
    from ray.tune.experiment import Trial

    controller = start_controller(experiment, 6, forgets_ended=forgets)
    trials = controller.get_trials()
    assert len(trials) == 6
    for one in trials[:4]:
        one.init_local_path()
        controller._set_trial_status(one, Trial.RUNNING)
    controller._process_trial_failure(trials[1], RuntimeError("its worker died"))
    names = [one.config["directory"][-1] for one in trials]
    assert names == ["0", "2", "3", "4", "5", "1"]  # it is tried again
    controller.stop_trial(trials[0])
    ended = weakref.ref(trials[0])
    del one
    controller._pending_trials_list.clear()  # Tune takes each from there to start it
    controller.on_step_end()
    gc.collect()
    assert (ended() is None) == forgets
    left = [one.config["directory"][-1] for one in controller.get_trials()]
    assert left == (names[1:] if forgets else names)
    assert controller.get_trials() is trials  # the list that callbacks were given
    chosen = controller.scheduler_alg.choose_trial_to_run(controller._wrapped())
    assert chosen.config["directory"][-1] == "4"
    for one in list(trials):
        controller.stop_trial(one)
    controller.on_step_end()
    assert controller.is_finished()


def test_scheduler_goes_through_the_trials_that_are_left_alone(experiment: Any) -> None:
    """However many have ended."""
    from ray.tune.experiment import Trial

    controller, seen = start_controller(experiment, 50, forgets_ended=True), list[int]()
    while not controller.is_finished():
        seen.append(len(controller.get_trials()))
        chosen = controller.scheduler_alg.choose_trial_to_run(controller._wrapped())
        controller._set_trial_status(chosen, Trial.RUNNING)
        controller.stop_trial(chosen)
        controller.on_step_end()
    assert seen == list(range(50, 0, -1))


def test_state_that_tune_writes_has_no_trial(experiment: Any) -> None:
    """Tune itself would keep each trial as JSON until the end, and read the file back there."""
    from ray.tune import ExperimentAnalysis

    controller = start_controller(experiment, 3, forgets_ended=True)
    controller.save_to_dir()
    written = Path(controller.experiment_state_path)
    assert len(written.read_text()) < 100
    assert ExperimentAnalysis(str(written)).trials == []


def test_controller_waits_with_as_many_trials_as_it_is_told(experiment: Any) -> None:
    for given, waiting in ((2, 2), (None, 3)):
        controller = start_controller(experiment, 1, forgets_ended=True, max_waiting=given)
        controller.update_max_pending_trials()
        assert controller._max_pending_trials == waiting


def test_context_replaces_tunes_controller_and_counts_no_callbacks() -> None:
    from ray import tune
    from ray.air._internal import usage
    from ray.tune import tune as tune_module

    before = tune_module.TuneController, usage.tag_callbacks
    loggers = {name for name in sys.modules if name.startswith("ray.air.integrations")}
    with lean_controller(forgets_ended=True):
        assert issubclass(tune_module.TuneController, before[0])
        assert not usage.tag_callbacks([tune.Callback()])
    assert (tune_module.TuneController, usage.tag_callbacks) == before
    assert loggers == {name for name in sys.modules if name.startswith("ray.air.integrations")}


PATHS = [Path(f"/sweep/{at}") for at in range(3)]
AXIS = Axis("rate", (Value("rate=1", "1"), Value("rate=2", "2")))


@pytest.mark.parametrize(
    ("pending", "packs", "expected"),
    [
        ({}, [], [{"directory": f"/sweep/{at}"} for at in range(3)]),
        (
            {},
            [Pack(lanes=(0, 2), vectorized=True), Pack(lanes=(1,), vectorized=False)],
            [
                {"directory": "/sweep/0", "lanes": ["/sweep/0", "/sweep/2"]},
                {"directory": "/sweep/1", "lanes": []},
            ],
        ),
        (
            {
                "population": Population(
                    axes={"rate": AXIS},
                    values={path: {"rate": at} for at, path in enumerate(PATHS)},
                )
            },
            [],
            [{"directory": f"/sweep/{at}", "values": {"rate": at}} for at in range(3)],
        ),
    ],
    ids=["alone", "packs", "population"],
)
def test_tune_copies_no_more_of_a_trial_than_its_folders(
    pending: dict[str, Any], packs: list[Pack], expected: list[dict[str, Any]]
) -> None:
    trials = PendingTrials(directories=PATHS, num_done=0, **pending)
    assert _trial_configs(trials, packs) == expected


SEARCH = AdaptiveSearch(
    dimensions=[], history_positions=[], make_trial=lambda position: None, num_trials=3
)
POPULATION = Population(axes={"rate": AXIS}, values={})


@pytest.mark.parametrize(
    ("pending", "options", "slots", "expected"),
    [
        ({}, {}, 2, (True, 2)),
        ({}, {}, None, (True, None)),  # a cluster may grow with what waits
        ({}, {"scheduler": AshaConfig(kind="asha", time="step", grace=1, factor=2)}, 2, (True, 2)),
        # It suggests a trial when there is room for it.
        ({"search": SEARCH}, {}, 2, (True, None)),
        # These may read all trials, and wait for all.
        ({"population": POPULATION}, {}, 2, (False, None)),
        ({}, {"scheduler": CustomSchedulerConfig(kind="a.B", time="step")}, 2, (False, None)),
        ({}, {"ray": RayConfig(callbacks=["a.B"])}, 2, (False, None)),
    ],
)
def test_tune_keeps_trials_for_those_alone_that_read_them(
    monkeypatch: pytest.MonkeyPatch,
    pending: dict[str, Any],
    options: dict[str, Any],
    slots: int | None,
    expected: tuple[bool, int | None],
) -> None:
    asked = list[tuple[bool, int | None]]()
    monkeypatch.setattr(
        tuner,
        "lean_controller",
        lambda *, forgets_ended, max_waiting=None: asked.append((forgets_ended, max_waiting)),
    )
    trials = PendingTrials(directories=PATHS, num_done=0, **pending)
    given = SimpleNamespace(**{"scheduler": None, "ray": RayConfig(), **options})
    tuner._controller(trials, given, slots)  # type: ignore[arg-type]
    assert asked == [expected]
