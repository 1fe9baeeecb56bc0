"""What is run of the Sherlock study has the study's values, all of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from lm.config import CONFIG_DIR, Config, parse_config, register
from lm.data.dataset import load_dataset
from lm.data.windows import steps_per_epoch, windows_in_stream
from lm.training.functions import build_functions, make_static_config
from lm.training.state import count_parameters
from scripts.sherlock_study.plan import PLAN, Stage, chosen, command
from sweeps import hydra_sweeper
from sweeps.config import SearchConfig
from sweeps.search import space
from sweeps.search.samplers import all_settings

STUDY: dict[str, Any] = {
    "data.level": "word",
    "data.vocab_size": None,
    "model.cell": "lstm",
    "model.embed_size": 64,
    "model.rnn_size": 192,
    "model.layers": 1,
    "model.hidden_size": 96,
    "model.dropout": 0,
    "model.forget_bias": 1,
    "model.tie_weights": False,
    "model.embed_scale": 0.01,
    "model.initializer.kind": "variance_scaling",
    "model.initializer.scale": 0.01,
    "loss.kind": "nce",
    "loss.samples": 64,
    "loss.remove_accidental_hits": False,
    "optimizer.kind": "momentum",
    "optimizer.learning_rate": 0.05,
    "optimizer.momentum": 0.8,
    "optimizer.hold_epochs": None,
    "optimizer.weight_decay": 0,
    "train.batch_size": 32,
    "train.sequence_length": 20,
    "train.epochs": 75,
    "train.clip_norm": None,
    "train.predict": "last",
    "train.changes": [],
}
"""The best settings of pat-coady/rnn, from its page and its code."""

RATE, KEPT, CLIP = "optimizer.learning_rate", "optimizer.momentum", "train.clip_norm"
LENGTH = "train.sequence_length"
SWEEPS: dict[str, tuple[dict[str, Any], dict[str, list[Any]]]] = {
    "predict": ({}, {"train.predict": ["last", "all"]}),
    "layers": (
        {},
        {
            "model.embed_size": [64, 96],
            "model.rnn_size": [128, 192],
            "model.hidden_size": [64, 96],
        },
    ),
    "momentum": (
        {
            "model.embed_size": 92,
            "model.rnn_size": 128,
            "model.hidden_size": 128,
            LENGTH: 10,
            "train.epochs": 1,
        },
        {RATE: [0.001, 0.01, 0.1], KEPT: [0.8, 0.9]},
    ),
    "clip_level": ({RATE: 0.01, "train.epochs": 25}, {CLIP: [0.01, 0.1, 1]}),
    "cell": ({"train.epochs": 50}, {"model.cell": ["lstm", "gru"], RATE: [0.01, 0.05, 0.1]}),
    "optimizer": ({}, {"optimizer.kind": ["momentum", "adam", "rmsprop"]}),
    "basic_rnn": ({"model.cell": "rnn"}, {LENGTH: [3, 5, 10]}),
    "sequence_length": ({}, {LENGTH: [5, 20]}),
    "learning_rate": (
        {"model.embed_size": 92, "train.epochs": 25},
        {RATE: [0.001, 0.01, 0.03, 0.1]},
    ),
    "schedule": ({"model.rnn_size": 128, "train.epochs": 27}, {}),
}
"""Sweep -> what it has other than the best settings, and its axes."""


def value(config: Config, key: str) -> Any:
    found: Any = config
    for part in key.split("."):
        found = getattr(found, part)
    return found


@pytest.fixture(scope="module")
def trials() -> Callable[..., list[Config]]:
    register()
    hydra_sweeper.register()
    parse = OverridesParser.create().parse_overrides

    def compose(overrides: list[str]) -> Any:
        with hydra.initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
            return hydra.compose("config", overrides, return_hydra_config=True)

    def make(*overrides: str) -> list[Config]:
        """Every trial of `python -m lm.sweep` with these overrides, typed."""
        params = compose([overrides[0]]).hydra.sweeper.params
        texts = [space.param_override(key, text) for key, text in params.items()]
        linked = [one for one in overrides if one.startswith("sweep.zip=")]
        found = space.build_space(parse(texts), parse(list(overrides)))
        grid = all_settings(found, SearchConfig("grid", None, 0))
        if linked:  # both axes of two values: those that step together
            grid = [grid[0], grid[-1]]
        configs = [compose([*found.fixed, *(one.override for one in trial)]) for trial in grid]
        return [parse_config(_plain(config)) for config in configs]

    return make


def _plain(config: Any) -> dict[str, Any]:
    values = OmegaConf.to_container(OmegaConf.masked_copy(config, _keys(config)), resolve=True)
    assert isinstance(values, dict)
    return {str(key): one for key, one in values.items()}


def _keys(config: Any) -> list[str]:
    return [str(key) for key in config if key != "hydra"]


def test_every_sweep_of_the_study_is_shipped_and_run() -> None:
    shipped = {path.stem for path in CONFIG_DIR.glob("sweep/sherlock_*.yaml")}
    assert shipped == {f"sherlock_{name}" for name in SWEEPS} == {stage.sweep for stage in PLAN}


@pytest.mark.parametrize("name", SWEEPS)
def test_sweep_has_the_studys_values(trials: Callable[..., list[Config]], name: str) -> None:
    others, axes = SWEEPS[name]
    found = trials(f"+sweep=sherlock_{name}")
    fixed = {key: one for key, one in {**STUDY, **others}.items() if key not in axes}
    if name == "optimizer":  # constants of Adam and RMSProp are their own
        fixed = {key: one for key, one in fixed.items() if not key.startswith("optimizer.")}
    if name == "schedule":
        del fixed["train.changes"]
    for config in found:
        assert {key: value(config, key) for key in fixed} == fixed
    for key, values in axes.items():
        assert list(dict.fromkeys(value(config, key) for config in found)) == values


def test_schedules_are_the_studys(trials: Callable[..., list[Config]]) -> None:
    found = trials("+sweep=sherlock_schedule")
    rates = [[(one["step"], one[RATE]) for one in config.train.changes] for config in found]
    times = [[], [0.5, 0.1], [3, 9], [3, 4]]
    steps = [[], [20_000, 80_000], [20_000, 80_000], [30_000, 100_000]]
    for found_rates, factors, at in zip(rates, times, steps, strict=True):
        assert [step for step, _ in found_rates] == at
        assert [rate for _, rate in found_rates] == pytest.approx([0.05 * by for by in factors])


@pytest.mark.parametrize("stage", PLAN, ids=lambda stage: stage.sweep)
def test_what_is_run_composes_and_is_as_many_trials(
    trials: Callable[..., list[Config]], stage: Stage
) -> None:
    assert len(trials(*command(stage, "outputs/sherlock"))) == stage.trials


def test_further_overrides_take_the_place_of_the_plans() -> None:
    (stage,) = chosen(["predict"])
    assert command(stage, "out", ["train.epochs=1"]) == [
        "+sweep=sherlock_predict",
        "output_dir=out",
        "train.epochs=1",
    ]
    with pytest.raises(ValueError, match="nothing: no sweep of the study"):
        chosen(["nothing"])


def test_an_epoch_of_the_whole_text_is_one_window_longer_than_the_studys(
    trials: Callable[..., list[Config]],
) -> None:
    """Which leaves out the last window of range(7744 - 20 - 1)."""
    train = trials("+sweep=sherlock_predict")[0].train
    assert windows_in_stream(247_812 // 32, train) == 7_723 + 1


def test_an_epoch_without_the_validation_split(
    trials: Callable[..., list[Config]], real_data: Callable[[str], str]
) -> None:
    root = f"data.root={real_data('sherlock')}"
    last, every = trials("+sweep=sherlock_predict", root)
    dataset = load_dataset(last.data)
    sizes = [len(ids) for ids in (dataset.train, dataset.valid, dataset.test)]
    assert sizes == [223_031, 24_781, 0]
    assert steps_per_epoch(sizes[0], last.train) == 6_949
    assert steps_per_epoch(sizes[0], every.train) == 348
    assert parameters(last, len(dataset.vocabulary)) == 2_000_589
    assert parameters(last, 11_756) == 2_108_620  # the study's


def parameters(config: Config, vocab_size: int) -> int:
    program = build_functions(make_static_config(config, vocab_size))
    return count_parameters(program.shapes.params)


def test_seed_words_are_those_of_the_study(real_data: Callable[[str], str]) -> None:
    from lm.config import DataConfig
    from lm.data.gutenberg import read_sherlock
    from lm.data.tokenizer import tokenize
    from scripts.sherlock_study.published import SEED

    config = DataConfig("sherlock", None, [], "word", None, 0.1, 0.0, None)
    tokens = tokenize(read_sherlock(Path(real_data("sherlock"))), config)
    assert tokens[11_000:11_020] == SEED.split()
