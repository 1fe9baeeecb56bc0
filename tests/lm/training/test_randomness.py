"""What is drawn ahead for steps does not depend on how they are cut into calls."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lm.training.randomness
from lm.config import parse_config
from lm.config.sizes import STEPS_PER_CALL
from lm.training.randomness import RandomSpec, StepRandomness, presample, presample_lanes
from tests.lm.training.test_step import BATCH, KEY, TIME, advance, start

Compose = Callable[..., dict[str, Any]]
WINDOWS = 40
WHAT = {
    "nothing but dropout": RandomSpec(None, 13, None),
    "candidates": RandomSpec(6, 13, None),
    "candidates and windows": RandomSpec(6, 13, WINDOWS),
}


def row(draws: StepRandomness, place: int) -> list[np.ndarray]:
    draws = draws._replace(dropout_key=jax.random.key_data(draws.dropout_key))
    return [np.asarray(rows[place]) for rows in jax.tree.leaves(draws)]


def assert_same(one: list[np.ndarray], other: list[np.ndarray]) -> None:
    for mine, theirs in zip(one, other, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("what", WHAT.values(), ids=WHAT)
def test_a_steps_draws_do_not_hang_on_where_its_call_begins(what: RandomSpec) -> None:
    whole = presample(what, KEY, jnp.int32(0), 30)
    for first in (5, 29):
        assert_same(row(presample(what, KEY, jnp.int32(first), 1), 0), row(whole, first))


@pytest.mark.parametrize("what", WHAT.values(), ids=WHAT)
def test_lanes_draw_what_each_would_alone(what: RandomSpec) -> None:
    keys, steps = jax.random.split(KEY, 3), jnp.array([4, 0, 9], jnp.int32)
    lanes = presample_lanes(what, keys, steps, 7)
    for lane, (key, step) in enumerate(zip(keys, steps, strict=True)):
        alone = presample(what, key, step, 7)
        of_lane = jax.tree.map(lambda rows, lane=lane: rows[lane], lanes)
        for place in (0, 6):
            assert_same(row(of_lane, place), row(alone, place))


def test_an_epochs_windows_are_each_drawn_once_and_those_of_the_next_in_another_order() -> None:
    what = WHAT["candidates and windows"]
    orders = [
        np.asarray(presample(what, KEY, jnp.int32(epoch * WINDOWS), 0).start)[:WINDOWS]
        for epoch in (0, 1)
    ]
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), np.arange(WINDOWS))
    assert (orders[0] != orders[1]).any()


def test_more_steps_than_are_drawn_for_at_once_are_the_same(
    tiny: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = (f"train.batch_size={BATCH}", f"train.sequence_length={TIME}", "loss.samples=5")
    config = parse_config(tiny("train.predict=last", "loss.kind=nce", *sizes))
    at_once, totals = advance(config, start(config), 20)
    monkeypatch.setattr(lm.training.randomness, "STEPS_PER_CALL", 6)
    in_turns, totals_in_turns = advance(config, start(config), 20)
    assert STEPS_PER_CALL > 20
    jax.tree.map(np.testing.assert_array_equal, in_turns, at_once)
    of_last_call = totals_in_turns._replace(updates=totals.updates)
    jax.tree.map(np.testing.assert_array_equal, of_last_call, totals)
