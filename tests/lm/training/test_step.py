"""Steps against plain Python loops and a NumPy model, and which words they see."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import lm.training.multi_step
from lm.config import Config, parse_config
from lm.data.batches import Batch, to_streams
from lm.data.windows import steps_per_epoch
from lm.losses.candidate_sampler import sample_log_uniform
from lm.model.initializers import init_scales
from lm.model.language_model import LanguageModel
from lm.optim.optimizer import Hyperparameters, hyperparameters
from lm.training.functions import CompiledFunctions, build_functions, make_static_config
from lm.training.metrics import StepMetrics, Totals, collect_updates, zero_totals
from lm.training.multi_step import train_steps
from lm.training.randomness import StepRandomness
from lm.training.state import StepSpec, TrainState
from lm.training.step import train_step
from tests.lm.helpers.numpy_model import numpy_loss

Compose = Callable[..., dict[str, Any]]
VOCAB, BATCH, TIME = 13, 3, 4
TOLERANCE = 1e-5
IDS = np.random.default_rng(0).integers(0, VOCAB, 95).astype(np.int32)
STREAMS = to_streams(IDS, BATCH)  # 31 words each: 7 windows that touch, 27 that slide
KEY = jax.random.key(5)


@pytest.fixture(scope="module")
def config(tiny: Compose) -> Config:
    return parse_config(tiny(f"train.batch_size={BATCH}", f"train.sequence_length={TIME}"))


def changed(config: Config, section: str, **changes: Any) -> Config:
    return replace(config, **{section: replace(getattr(config, section), **changes)})


def program(config: Config) -> CompiledFunctions:
    return build_functions(make_static_config(config, VOCAB))


def recipe(config: Config) -> StepSpec:
    """What `build_functions` compiles, for steps taken one by one."""
    model = LanguageModel(config.model, VOCAB, rngs=nnx.Rngs(params=jax.random.key(0)))
    merge = partial(nnx.merge, nnx.graphdef(model))
    return StepSpec(
        merge=merge,
        model=config.model,
        loss=config.loss,
        optimizer=config.optimizer,
        train=config.train,
        vocab_size=VOCAB,
    )


def start(config: Config) -> TrainState:
    return program(config).initialize(jax.random.key(1), init_scales(config.model))


def advance(config: Config, state: TrainState, steps: int) -> tuple[TrainState, Totals]:
    copy = jax.tree.map(jnp.copy, state)  # the compiled call uses its buffers up
    values = hyperparameters(config, 0)
    return program(config).advance(copy, values, jnp.asarray(STREAMS), KEY, steps)


def draws_of(config: Config, key: jax.Array) -> StepRandomness:
    """What chance decides about a step, from its key."""
    dropout_key, candidates_key = jax.random.split(key)
    sampled = config.loss.kind != "softmax"
    draw = partial(sample_log_uniform, candidates_key, config.loss.samples, VOCAB)
    return StepRandomness(dropout_key, draw() if sampled else None, None)


def python_loop(config: Config, state: TrainState, steps: int) -> tuple[TrainState, list[float]]:
    """Windows cut by NumPy slices, one call a step; `predict=all`."""
    step = jax.jit(partial(train_step, recipe(config)))
    _, step_key = jax.random.split(KEY)
    losses = []
    for number in range(steps):
        index = number % 7
        if index == 0:
            state = state._replace(carry=jax.tree.map(jnp.zeros_like, state.carry))
        first = index * TIME
        inputs, targets = STREAMS[first : first + TIME], STREAMS[first + 1 : first + TIME + 1]
        batch = Batch(jnp.asarray(inputs), jnp.asarray(targets))
        draws = draws_of(config, jax.random.fold_in(step_key, number))
        state, metrics = step(state, hyperparameters(config, 0), batch, draws)
        losses.append(float(metrics.loss))
    return state, losses


def assert_close(one: Any, other: Any) -> None:
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(a, b, atol=TOLERANCE, rtol=TOLERANCE)


@pytest.mark.parametrize(("rule", "loss"), [("momentum", "softmax"), ("adam", "sampled_softmax")])
def test_steps_in_one_call_equal_a_python_loop(tiny: Compose, rule: str, loss: str) -> None:
    config = parse_config(
        tiny(
            f"optimizer={rule}",
            f"loss.kind={loss}",
            "loss.samples=5",
            "model.dropout=0.3",
            "optimizer.learning_rate=0.05",
            f"train.batch_size={BATCH}",
            f"train.sequence_length={TIME}",
        )
    )
    # Two epochs and a part: the state is carried between batches and reset at an epoch's start.
    one_call, totals = advance(config, start(config), 16)
    loop, losses = python_loop(config, start(config), 16)
    assert int(one_call.step) == int(totals.steps) == 16
    assert collect_updates([totals])[:, 0] == pytest.approx(losses, rel=TOLERANCE)
    assert_close(one_call, loop)


@pytest.mark.parametrize("predict", ["all", "last"])
def test_steps_in_parts_equal_steps_in_one_call_bit_by_bit(config: Config, predict: str) -> None:
    config = changed(config, "train", predict=predict)
    whole, _ = advance(config, start(config), 7)
    parts = start(config)
    for steps in (3, 0, 1, 3):
        parts, totals = advance(config, parts, steps)
        assert int(totals.steps) == steps
    for one, other in zip(jax.tree.leaves(whole), jax.tree.leaves(parts), strict=True):
        np.testing.assert_array_equal(one, other)


def windows_seen(
    config: Config, monkeypatch: pytest.MonkeyPatch, epochs: int
) -> tuple[np.ndarray, np.ndarray]:
    """Number of the word that each step's windows begin with, and the state it starts from.

    Steps are replaced by ones that write down what they are given and add 1 to the state.
    """
    per_epoch = steps_per_epoch(len(IDS), config.train)
    steps = per_epoch * epochs

    def note(
        recipe: StepSpec,
        state: TrainState,
        values: Hyperparameters,
        batch: Batch,
        draws: StepRandomness,
    ) -> tuple[TrainState, StepMetrics]:
        last = batch.targets if batch.targets.ndim == 1 else batch.targets[-1]
        whole = jnp.concatenate([batch.inputs_tb, last[None]])
        params = {
            "words": state.params["words"].at[state.step].set(whole),
            "carry": state.params["carry"].at[state.step].set(state.carry[0]),
        }
        carry = (state.carry[0] + 1,)
        zero = jnp.float32(0)
        metrics = StepMetrics(zero, zero, zero, zero)
        return TrainState(params, (), carry, {}, state.step + 1), metrics

    monkeypatch.setattr(lm.training.multi_step, "train_step", note)
    numbers = jnp.asarray(to_streams(np.arange(len(IDS), dtype=np.int32), BATCH))
    params = {
        "words": jnp.full((steps, TIME + 1, BATCH), -1, jnp.int32),
        "carry": jnp.full(steps, -1, jnp.float32),
    }
    state = TrainState(params, (), (jnp.float32(99),), {}, jnp.int32(0))
    part = max(per_epoch // 2, 1)
    for _ in range(epochs):
        for count in (part, per_epoch - part):
            values = hyperparameters(config, 0)
            draws = program(config).presample(numbers, KEY, state.step, count)
            call = (values, numbers, draws, jnp.int32(count))
            state, _ = train_steps(recipe(config), state, zero_totals(), *call)
    words = np.asarray(state.params["words"])
    np.testing.assert_array_equal(np.diff(words, axis=1), 1)  # words in the text's order
    np.testing.assert_array_equal(np.diff(words, axis=2), len(STREAMS))  # streams side by side
    return words[:, 0, 0], np.asarray(state.params["carry"])


def test_predict_all_reads_each_epoch_in_order_with_the_state_carried(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts, carry = windows_seen(config, monkeypatch, epochs=2)
    np.testing.assert_array_equal(starts, [0, 4, 8, 12, 16, 20, 24] * 2)
    np.testing.assert_array_equal(carry, [0, 1, 2, 3, 4, 5, 6] * 2)


def test_predict_last_sees_every_window_once_an_epoch_in_a_new_order(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = changed(config, "train", predict="last")
    starts, carry = windows_seen(config, monkeypatch, epochs=3)
    orders = starts.reshape(3, 27)
    for order in orders:
        assert sorted(order) == list(range(27))
        assert list(order) != list(range(27))
    assert len({tuple(order) for order in orders}) == 3
    assert not carry.any()


@pytest.mark.parametrize("predict", ["all", "last"])
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_fresh_models_loss_is_close_to_log_of_the_vocabulary(
    config: Config, predict: str, cell: str
) -> None:
    config = changed(changed(config, "train", predict=predict), "model", cell=cell)
    _, totals = advance(config, start(config), 1)
    assert collect_updates([totals])[:, 0] == pytest.approx(np.log(VOCAB), rel=0.05)


def test_update_is_no_longer_than_the_clip_level(config: Config) -> None:
    config = changed(config, "optimizer", learning_rate=1.0, momentum=0.0)
    length, norm = {}, {}
    for level in (None, 1e9, 0.01):
        before = start(config)
        after, totals = advance(changed(config, "train", clip_norm=level), before, 1)
        moved = jax.tree.map(lambda a, b: np.asarray(a - b), after.params, before.params)
        length[level] = np.sqrt(sum(float((x**2).sum()) for x in jax.tree.leaves(moved)))
        norm[level] = float(collect_updates([totals])[0, 1])
    assert norm[None] == norm[1e9] == norm[0.01] > 0.1  # what is reported is before clipping
    assert length == pytest.approx({None: norm[None], 1e9: norm[None], 0.01: 0.01}, rel=1e-4)


def test_first_loss_that_is_not_finite_ends_the_call(config: Config) -> None:
    config = changed(config, "optimizer", learning_rate=1e38)
    config = changed(config, "train", clip_norm=None)
    _, losses = python_loop(config, start(config), 10)
    first = int(np.argmin(np.isfinite(losses))) + 1
    state, totals = advance(config, start(config), 10)
    assert 1 < first < 10
    assert not totals.finite
    assert int(totals.steps) == int(state.step) <= first
    finite = np.isfinite(collect_updates([totals])[:, :2]).all(axis=1)  # loss and gradient's norm
    assert finite.tolist() == [True] * (len(finite) - 1) + [False]
    _, totals = advance(config, start(config), int(state.step) - 1)
    assert totals.finite


@pytest.mark.parametrize("predict", ["all", "last"])
def test_loss_equals_a_numpy_lstm_in_float64(config: Config, predict: str) -> None:
    config = changed(config, "train", predict=predict)
    state = start(config)
    # Away from the small weights of the start, where mistakes hardly show.
    params = jax.tree.map(lambda x: 4 * x + 0.1, state.params)
    carry = (tuple(0.3 * jax.random.normal(jax.random.key(i), (BATCH, 7)) for i in (0, 1)),)
    inputs = STREAMS[3 : 3 + TIME]
    targets = STREAMS[4 : 4 + TIME] if predict == "all" else STREAMS[3 + TIME]
    batch = Batch(jnp.asarray(inputs), jnp.asarray(targets))
    begin = state._replace(params=params, carry=carry)
    step = jax.jit(partial(train_step, recipe(config)))
    after, metrics = step(begin, hyperparameters(config, 0), batch, StepRandomness(KEY, None, None))
    loss, h, c = numpy_loss(params, carry, inputs, targets)
    assert float(metrics.loss) == pytest.approx(loss, rel=TOLERANCE)
    np.testing.assert_allclose(after.carry[0][0], h, atol=TOLERANCE)
    np.testing.assert_allclose(after.carry[0][1], c, atol=TOLERANCE)
