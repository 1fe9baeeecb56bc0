"""Rows that are updated only when they are touched, against updates of every row."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lm.training.state
from lm.config import Config, parse_config
from lm.data.batches import to_streams
from lm.model.initializers import InitScales
from lm.optim.lazy_rows import DenseRows, LazyRows
from lm.optim.optimizer import Hyperparameters, hyperparameters
from lm.training.functions import CompiledFunctions, build_functions, make_static_config
from lm.training.state import TrainState

Compose = Callable[..., dict[str, Any]]
VOCAB = 60
STREAMS = to_streams(np.random.default_rng(0).integers(0, VOCAB, 200).astype(np.int32) // 3 * 2, 3)
"""Odd words never occur, and many occur again after a long while."""
KEY = jax.random.key(5)
SCALES = InitScales(*(jnp.float32(0.5) for _ in InitScales._fields))
TOLERANCE = 1e-5
TIED = ("model.tie_weights=true", "model.embed_size=6")


def configure(tiny: Compose, *overrides: str) -> Config:
    common = ["train.batch_size=3", "train.sequence_length=4", "loss.samples=5"]
    return parse_config(tiny("loss.kind=sampled_softmax", *common, *overrides))


def program(config: Config) -> CompiledFunctions:
    return build_functions(make_static_config(config, VOCAB))


def train(program: CompiledFunctions, values: Hyperparameters, steps: int) -> TrainState:
    state = program.initialize(jax.random.key(1), SCALES)
    return go_on(program, state, values, steps)


def go_on(
    program: CompiledFunctions, state: TrainState, values: Hyperparameters, steps: int
) -> TrainState:
    return program.advance(state, values, jnp.asarray(STREAMS), KEY, steps)[0]


def assert_close(one: Any, other: Any) -> None:
    for mine, theirs in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize(
    "options",
    [
        ("optimizer=momentum", "optimizer.learning_rate=0.3"),
        ("optimizer=momentum", "optimizer.momentum=0", "train.predict=last"),
        ("optimizer=rmsprop", "optimizer.learning_rate=0.003", "optimizer.momentum=0.5"),
        ("optimizer=rmsprop", "optimizer.momentum=0", "loss.kind=nce"),
        ("optimizer.learning_rate=0.3", "loss.over_time=sum", *TIED),
        ("optimizer=rmsprop", "optimizer.learning_rate=0.003", *TIED),
    ],
)
@pytest.mark.slow
def test_touched_rows_alone_give_what_updates_of_all_rows_give(
    tiny: Compose, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    config = configure(tiny, *options)
    values = hyperparameters(config, 0)
    lagging = train(program(config), values, 12)
    assert lagging.last_updated
    settled = program(config).flush(lagging, values, jnp.bool_(True))
    monkeypatch.setattr(lm.training.state, "row_updates", lambda loss, optimizer: DenseRows())
    dense = train(build_functions.__wrapped__(make_static_config(config, VOCAB)), values, 12)
    assert not dense.last_updated
    assert_close(settled.params, dense.params)
    assert_close(settled.opt_state, dense.opt_state)


def test_rows_are_settled_before_the_hyperparameters_change(
    tiny: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configure(tiny)
    first = hyperparameters(config, 0)
    second = first._replace(learning_rate=jnp.float32(0.01), momentum=jnp.float32(0.3))

    def run(program: CompiledFunctions) -> TrainState:
        state = program.flush(train(program, first, 6), first, jnp.bool_(True))
        return program.flush(go_on(program, state, second, 6), second, jnp.bool_(True))

    lagging = run(program(config))
    monkeypatch.setattr(lm.training.state, "row_updates", lambda loss, optimizer: DenseRows())
    assert_close(
        lagging.params, run(build_functions.__wrapped__(make_static_config(config, VOCAB))).params
    )


def test_settling_that_is_not_due_changes_no_bit(tiny: Compose) -> None:
    config = configure(tiny)
    values = hyperparameters(config, 0)
    state = train(program(config), values, 7)
    before = jax.tree.map(np.array, state)
    after = program(config).flush(state, values, jnp.bool_(False))
    for one, other in zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True):
        np.testing.assert_array_equal(one, other)


def test_settled_rows_do_not_hang_on_how_steps_were_cut_into_calls(tiny: Compose) -> None:
    config = configure(tiny)
    values = hyperparameters(config, 0)
    whole = train(program(config), values, 9)
    parts = go_on(program(config), train(program(config), values, 4), values, 5)
    for one, other in zip(jax.tree.leaves(whole), jax.tree.leaves(parts), strict=True):
        np.testing.assert_array_equal(one, other)


def test_rows_that_are_given_back_are_written_once_and_others_stay(tiny: Compose) -> None:
    config = configure(tiny)
    state = program(config).initialize(jax.random.key(1), SCALES)
    ids = jnp.array([7, 3, 7, 7, 0], jnp.int32)
    words = {"embedding": ids, "output": ids}
    lazy = LazyRows(config.optimizer)
    rows, index = lazy.gather(
        state.tables, hyperparameters(config, 0), jnp.int32(0), lambda params: words
    )
    np.testing.assert_array_equal(index["output"].position, [0, 1, 0, 0, 4])
    np.testing.assert_array_equal(np.flatnonzero(rows.last_updated["embedding"]), [0, 3, 7])
    weight = rows.params["embedding"]["weight"]
    changed = {**rows.params, "embedding": {"weight": weight + jnp.arange(5.0)[:, None]}}
    tables = lazy.scatter(state.tables, rows._replace(params=changed), index)
    after = tables.params["embedding"]["weight"]
    moved = np.asarray(after - state.params["embedding"]["weight"]).round(4)
    expected = np.zeros(VOCAB)
    expected[[7, 3, 0]] = [0, 1, 4]
    np.testing.assert_array_equal(moved[:, 0], expected)


@pytest.mark.parametrize(
    "option",
    [
        "loss.kind=softmax",
        "optimizer=adam",
        "optimizer.weight_decay=0.1",
        "optimizer.average_patience=2",
        "optimizer.schedule=linear",
        "optimizer.warmup_steps=3",
    ],
)
def test_all_rows_are_updated_where_no_closed_form_or_no_sampling_is(
    tiny: Compose, option: str
) -> None:
    config = configure(tiny, option)
    assert not program(config).initialize(jax.random.key(1), SCALES).last_updated


def test_clip_level_counts_the_gradient_of_borrowed_rows(tiny: Compose) -> None:
    config = configure(tiny)
    config = replace(config, optimizer=replace(config.optimizer, momentum=0.0, learning_rate=1.0))
    values = hyperparameters(config, 0)._replace(clip_norm=jnp.float32(0.01))
    before = program(config).initialize(jax.random.key(1), SCALES).params
    after = train(program(config), values, 1).params
    moved = jax.tree.map(lambda one, other: ((one - other) ** 2).sum(), before, after)
    assert sum(jax.tree.leaves(moved)) ** 0.5 == pytest.approx(0.01, rel=1e-3)
