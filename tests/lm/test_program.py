"""Which trials share compiled code, and what a program starts from."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

from lm.config import typed
from lm.program import build_program, count_parameters, program_key

Compose = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    "overrides",
    [
        ["optimizer.learning_rate=0.3", "optimizer.momentum=0.1", "optimizer.decay=0.5"],
        ["train.clip_norm=null", "train.epochs=9", "optimizer.hold_epochs=1"],
        ["train.report_every=3", "train.checkpoint_minutes=9", "seed=5", "output_dir=x"],
    ],
)
def test_trials_that_differ_in_numbers_share_a_program(tiny: Compose, overrides: list[str]) -> None:
    one, other = (program_key(typed(tiny(*changes)), 20) for changes in ([], overrides))
    assert build_program(one) is build_program(other)


@pytest.mark.parametrize(
    "override",
    [
        "model.cell=rnn",
        "model.rnn_size=8",
        "model.forget_bias=0",
        "model.initializer.scale=2",
        "model.dropout=0.1",
        "loss.kind=nce",
        "optimizer=adam",
        "train.batch_size=5",
        "train.predict=last",
    ],
)
def test_trials_that_differ_in_code_or_shapes_do_not(tiny: Compose, override: str) -> None:
    assert program_key(typed(tiny(override)), 20) != program_key(typed(tiny()), 20)


def test_adams_constants_are_not_lost(tiny: Compose) -> None:
    one, other = (
        program_key(typed(tiny("optimizer=adam", f"optimizer.beta1={beta}")), 20)
        for beta in (0.8, 0.9)
    )
    assert one != other


def test_state_starts_from_its_key_alone(tiny: Compose) -> None:
    program = build_program(program_key(typed(tiny()), 20))
    one, same, other = (program.initialize(jax.random.key(seed)) for seed in (0, 0, 1))
    weights = [np.asarray(state.params["embedding"]["weight"]) for state in (one, same, other)]
    np.testing.assert_array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])
    assert int(one.step) == 0
    assert not any(np.asarray(leaf).any() for leaf in jax.tree.leaves(one.carry))


def test_parameters_are_counted(tiny: Compose) -> None:
    params = build_program(program_key(typed(tiny()), 20)).initialize(jax.random.key(0)).params
    embedding, output = 20 * 5, 20 * 6 + 20
    lstm, hidden = 4 * 7 * (5 + 7 + 1), 7 * 6 + 6
    assert count_parameters(params) == embedding + lstm + hidden + output
