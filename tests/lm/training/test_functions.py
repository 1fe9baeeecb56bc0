"""Which trials share compiled code, and what a program starts from."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

from lm.config import Config, parse_config
from lm.model.initializers import init_scales
from lm.training.functions import build_functions, make_static_config
from lm.training.state import TrainState, count_parameters

Compose = Callable[..., dict[str, Any]]


def start(config: Config, seed: int = 0) -> TrainState:
    program = build_functions(make_static_config(config, 20))
    return program.initialize(jax.random.key(seed), init_scales(config.model))


@pytest.mark.parametrize(
    "overrides",
    [
        ["optimizer.learning_rate=0.3", "optimizer.momentum=0.1", "optimizer.decay=0.5"],
        ["train.clip_norm=null", "train.epochs=9", "optimizer.hold_epochs=1"],
        ["model.forget_bias=0", "model.embed_scale=0.3", "model.initializer.scale=2"],
        ["train.report_every=3", "train.checkpoint_minutes=9", "seed=5", "output_dir=x"],
    ],
)
def test_trials_that_differ_in_numbers_share_a_program(tiny: Compose, overrides: list[str]) -> None:
    one, other = (
        make_static_config(parse_config(tiny(*changes)), 20) for changes in ([], overrides)
    )
    assert build_functions(one) is build_functions(other)


@pytest.mark.parametrize(
    "override",
    [
        "model.cell=rnn",
        "model.rnn_size=8",
        "model.initializer.kind=uniform",
        "model.dropout=0.1",
        "loss.kind=nce",
        "optimizer=adam",
        "train.batch_size=5",
        "train.predict=last",
    ],
)
def test_trials_that_differ_in_code_or_shapes_do_not(tiny: Compose, override: str) -> None:
    assert make_static_config(parse_config(tiny(override)), 20) != make_static_config(
        parse_config(tiny()), 20
    )


def test_adams_constants_are_not_lost(tiny: Compose) -> None:
    one, other = (
        make_static_config(parse_config(tiny("optimizer=adam", f"optimizer.beta1={beta}")), 20)
        for beta in (0.8, 0.9)
    )
    assert one != other


def test_state_starts_from_its_key_alone(tiny: Compose) -> None:
    one, same, other = (start(parse_config(tiny()), seed) for seed in (0, 0, 1))
    weights = [np.asarray(state.params["embedding"]["weight"]) for state in (one, same, other)]
    np.testing.assert_array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])
    assert int(one.step) == 0
    assert not any(np.asarray(leaf).any() for leaf in jax.tree.leaves(one.carry))


def test_scales_are_arrays_of_the_program_and_not_lost(tiny: Compose) -> None:
    plain = start(parse_config(tiny())).params
    scaled = start(parse_config(tiny("model.embed_scale=0.2", "model.initializer.scale=4"))).params
    for name, factor in (("embedding", 2), ("output", 2)):  # 0.1 twice; a variance of 4
        np.testing.assert_allclose(
            scaled[name]["weight"], factor * plain[name]["weight"], rtol=1e-5
        )
    bias = np.asarray(start(parse_config(tiny("model.forget_bias=3"))).params["layers"][0]["bias"])
    np.testing.assert_array_equal(bias, np.repeat([0, 3, 0, 0], 7))


def test_parameters_are_counted(tiny: Compose) -> None:
    params = start(parse_config(tiny())).params
    embedding, output = 20 * 5, 20 * 6 + 20
    lstm, hidden = 4 * 7 * (5 + 7 + 1), 7 * 6 + 6
    assert count_parameters(params) == embedding + lstm + hidden + output
