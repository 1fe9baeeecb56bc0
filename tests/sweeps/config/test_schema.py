"""A configuration gets its types, section by section as at once."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sweeps.config import schema
from sweeps.config.options import FrameworkConfig
from sweeps.config.schema import option, parse, section


@dataclass
class RuleConfig:
    kind: str = option("rule")
    rate: float = option("step size")


@dataclass
class AdamConfig(RuleConfig):
    beta: float = option("decay")


@dataclass
class ModelConfig:
    sizes: list[int] = option("sizes")
    scale: float | None = option("scale", default=None)
    free: dict[str, Any] = field(default_factory=dict)


@dataclass
class Config:
    rule: RuleConfig = section(RuleConfig, {"sgd": RuleConfig, "adam": AdamConfig})
    model: ModelConfig = field(default_factory=ModelConfig)
    seed: int = 0
    name: str | None = None


DEFAULTS = {"model": {"scale": 2}}
PLAIN: dict[str, Any] = {
    "rule": {"kind": "adam", "rate": 1, "beta": "0.5"},
    "model": {"sizes": [1, 2], "free": {"a": [1.0, {"b": None}]}},
    "seed": 3,
    "name": "x",
}


def changed(**sections: Any) -> dict[str, Any]:
    return {**PLAIN, **sections}


def whole(config: dict[str, Any]) -> Any:
    """As a configuration of Hydra is parsed."""
    return parse(Config, OmegaConf.create(config), DEFAULTS)


@pytest.mark.parametrize(
    "config",
    [
        PLAIN,
        changed(rule={"kind": "sgd", "rate": 0.5}),
        changed(model={"sizes": [], "scale": None, "free": {}}),
        changed(model={"sizes": ["3"], "scale": 1e3}),
        changed(name="${seed}"),
        changed(rule={"kind": "sgd", "rate": "${seed}"}),
        {key: PLAIN[key] for key in ("rule", "model")},
    ],
)
def test_sections_by_themselves_are_those_of_the_whole(config: dict[str, Any]) -> None:
    for _ in range(2):  # the second time they are known
        assert parse(Config, config, DEFAULTS) == whole(config)


@pytest.mark.parametrize(
    "config",
    [
        changed(model={"sizes": [1], "depth": 2}),
        changed(model={"sizes": "none"}),
        changed(model={"sizes": [1.5]}),
        changed(model={}),
        changed(model=3),
        changed(seed="many"),
        changed(other=1),
        changed(rule={"kind": "sgd"}),
        changed(rule={"kind": "sgd", "rate": "${nothing}"}),
    ],
)
def test_errors_are_those_of_the_whole(config: dict[str, Any]) -> None:
    with pytest.raises(OmegaConfBaseException) as expected:
        whole(config)
    with pytest.raises(OmegaConfBaseException) as caught:
        parse(Config, config, DEFAULTS)
    assert str(caught.value) == str(expected.value)
    assert type(caught.value) is type(expected.value)


def test_what_was_parsed_is_nobody_elses() -> None:
    one, other = parse(Config, PLAIN), parse(Config, PLAIN)
    one.model.sizes.append(9)
    one.model.free["a"][1]["b"] = 1
    assert other == parse(Config, PLAIN)
    assert other.model.sizes == [1, 2]


def test_known_sections_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "_MAX_PARSED", 5)
    for seed in range(20):
        assert parse(Config, changed(seed=seed)).seed == seed
    assert len(schema._PARSED) <= 5


def test_options_of_sweeps_have_their_defaults() -> None:
    kinds = {"search": {"kind": "grid"}, "scheduler": {"kind": "none"}}
    assert parse(FrameworkConfig, kinds) == parse(FrameworkConfig, OmegaConf.create(kinds))
