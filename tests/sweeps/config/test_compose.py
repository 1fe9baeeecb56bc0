"""Many trials are composed from one composition, to what Hydra composes for each."""

from collections.abc import Iterator
from itertools import cycle, product
from pathlib import Path
from typing import Any

import hydra
import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import OmegaConf

from sweeps import hydra_sweeper
from sweeps.config import Composer
from sweeps.errors import UserError

CONF = Path(__file__).parents[1] / "helpers" / "conf"
AXES = {
    "rate": ["rate=0.1", "rate=1", "rate=null", "rate='a, b'", "rate=${seed}"],
    "shape": ["shape=small", "shape=large"],
    "seed": ["seed=1", "seed=2"],
    "new": ["+new=1", "+new=[1,2]"],
}


@pytest.fixture
def loader() -> Iterator[Any]:
    hydra_sweeper.register()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        yield GlobalHydra.instance().config_loader()


@pytest.fixture
def composer(loader: Any) -> Composer:
    master = loader.load_configuration("toy", overrides=[], run_mode=RunMode.MULTIRUN)
    return Composer(loader, master, list(AXES))


def test_every_trial_is_what_hydra_composes(composer: Composer, loader: Any) -> None:
    seeds = cycle(AXES["seed"])
    for rate, shape, new in product(AXES["rate"], AXES["shape"], AXES["new"]):
        overrides = (rate, shape, next(seeds), new)
        config, choices = composer(["steps=7", *overrides])
        expected = hydra.compose("toy", overrides=["steps=7", *overrides])
        assert config == OmegaConf.to_container(expected, resolve=True), overrides
        assert f"shape={choices['shape']}" in overrides


def test_trial_resolves_what_an_axis_sets_or_what_refers_to_something_alone(
    loader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All else is known from the first trial, and yet is the trial's own."""
    referring = ["+a={size: 1, twice: '${b.size}'}", "+b={size: 2}", "+c={sizes: [1, {d: 2}]}"]
    master = loader.load_configuration("toy", overrides=[], run_mode=RunMode.MULTIRUN)
    composer = Composer(loader, master, ["b.size"])
    first = composer([*referring, "b.size=3"])[0]
    resolved = list[Any]()
    resolve = OmegaConf.to_container
    monkeypatch.setattr(
        OmegaConf,
        "to_container",
        lambda config, **how: (resolved.append(config._key()), resolve(config, **how))[1],
    )
    second = composer([*referring, "b.size=4"])[0]
    assert resolved == ["a", "b"]
    assert second == {**first, "a": {"size": 1, "twice": 4}, "b": {"size": 4}}
    assert list(second) == list(first)
    second["c"]["sizes"][1].clear()
    second["sweep"].clear()
    assert composer([*referring, "b.size=3"])[0] == first


def test_mistake_in_a_later_trial_gets_the_words_of_hydra(composer: Composer) -> None:
    composer(["seed=1"])
    with pytest.raises(UserError, match="Could not override 'sed'; To append"):
        composer(["sed=1"])
