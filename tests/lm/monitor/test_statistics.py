"""A look inside, against training itself and against the model called directly."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from numpy.typing import NDArray

from lm.config import Config, parse_config
from lm.data.dataset import load_dataset
from lm.model.cells import CELLS
from lm.model.language_model import LanguageModel
from lm.model.recurrence import run_cell, run_cell_with_residuals
from lm.monitor import statistics
from lm.monitor.statistics import StepStatistics, collect, report_values, step_statistics
from lm.training.functions import build_functions
from lm.training.state import TrainState
from lm.training.trainer import Trainer
from sweeps.tensorboard import Histogram

Compose = Callable[..., dict[str, Any]]
SAMPLED = ("loss.kind=sampled_softmax", "loss.samples=5")
TIED = ("model.tie_weights=true", "model.embed_size=6")


def trainer_of(tiny: Compose, *overrides: str) -> Trainer:
    config = parse_config(tiny(*overrides))
    return Trainer(config, load_dataset(config.data))


def advanced(trainer: Trainer, reports: int = 1) -> tuple[TrainState, int]:
    state, step = trainer.start(), 0
    for _ in range(reports):
        state, report = trainer.advance(state, step)
        step += report.steps
    return state, step


def settled(trainer: Trainer, state: TrainState, step: int) -> dict[str, Any]:
    copy = jax.tree.map(jnp.copy, state)
    return trainer.functions.flush(copy, trainer.hyperparams(step), jnp.bool_(True)).params


def look(trainer: Trainer, state: TrainState, step: int) -> tuple[dict[str, float], Any]:
    return report_values(step_statistics(trainer, state, step))


def model_of(config: Config, params: dict[str, Any]) -> LanguageModel:
    model = LanguageModel(config.model, len(params["output"]["bias"]), rngs=nnx.Rngs(0))
    nnx.update(model, params)
    return model


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("optimizer=rmsprop", *SAMPLED),
        # Words are dropped by the rows that a step gathers, and only dense tables have all rows.
        ("loss.kind=nce", "loss.samples=5", "model.embedding_dropout=0.4"),
        ("optimizer=rmsprop", *SAMPLED, *TIED, "model.embedding_dropout=0.4", "model.dropout=0.3"),
    ],
)
@pytest.mark.slow
def test_norms_are_those_of_the_parameters_and_of_the_next_update(
    tiny: Compose, overrides: tuple[str, ...]
) -> None:
    trainer = trainer_of(tiny, "model.layers=2", *overrides)
    state, step = advanced(trainer)
    numbers, _ = look(trainer, state, step)
    before = settled(trainer, state, step)
    values = trainer.hyperparams(step)
    call = (values, trainer.streams_lb, trainer.train_key, 1)
    state, _ = trainer.functions.advance(state, *call)
    after = settled(trainer, state, step)
    moved = jax.tree.map(lambda new, old: new - old, after, before)
    layers = {
        "embedding": lambda tree: tree["embedding"],
        "layer_1": lambda tree: tree["layers"][0],
        "layer_2": lambda tree: tree["layers"][1],
        "hidden": lambda tree: tree["hidden"],
        "output": lambda tree: tree["output"],
    }
    for name, pick in layers.items():
        norm = float(optax.tree.norm(pick(before)))
        np.testing.assert_allclose(numbers[f"within/param_norm/{name}"], norm, rtol=1e-5)
        norm = float(optax.tree.norm(pick(moved)))
        np.testing.assert_allclose(numbers[f"within/update_norm/{name}"], norm, rtol=1e-3)


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_activations_are_those_of_the_batch_that_comes_next(tiny: Compose, cell: str) -> None:
    trainer = trainer_of(tiny, f"model.cell={cell}")
    state, step = advanced(trainer)
    _, histograms = look(trainer, state, step)
    length = trainer.config.train.sequence_length
    inputs_tb = trainer.streams_lb[step * length : (step + 1) * length]
    model = model_of(trainer.config, state.params)
    features, _ = model.features(inputs_tb, state.carry)
    assert_holds(histograms["within_activations/hid_out"], np.asarray(features))
    rows = np.asarray(state.params["embedding"]["weight"])[np.asarray(inputs_tb)]
    assert_holds(histograms["within_activations/embed_out"], rows)


def assert_holds(histogram: Histogram, x: NDArray[np.float32]) -> None:
    assert sum(histogram.counts) == x.size
    ends = histogram.edges[0], histogram.edges[-1]
    np.testing.assert_allclose(ends, (x.min(), x.max()), rtol=1e-5)
    below = [0, *np.cumsum(histogram.counts)]
    expected = [(x < edge).sum() for edge in histogram.edges]
    np.testing.assert_allclose(below[1:-1], expected[1:-1], atol=2)


@pytest.mark.parametrize("loss", [(), SAMPLED])
@pytest.mark.parametrize("tie", [(), TIED])
def test_gradients_of_tables_are_of_the_words_that_the_loss_depends_on(
    tiny: Compose, loss: tuple[str, ...], tie: tuple[str, ...]
) -> None:
    trainer = trainer_of(tiny, *loss, *tie)
    state, step = advanced(trainer)
    _, histograms = look(trainer, state, step)
    length, config = trainer.config.train.sequence_length, trainer.config.model
    read = len(np.unique(trainer.streams_lb[step * length : (step + 1) * length]))
    vectors = sum(histograms["within_gradients/embedding/weight"].counts) / config.embed_size
    words = sum(histograms["within_gradients/output/bias"].counts)
    all_words = len(trainer.vocabulary)
    assert words < all_words if loss else words == all_words
    assert max(read, words) <= vectors <= read + words if tie else vectors == read


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("optimizer=rmsprop", *SAMPLED),
        # Words are dropped by the rows that a step gathers, and only dense tables have all rows.
        ("loss.kind=nce", "loss.samples=5", "model.embedding_dropout=0.4"),
        ("optimizer=rmsprop", *SAMPLED, *TIED, "model.embedding_dropout=0.4", "model.dropout=0.3"),
    ],
)
@pytest.mark.slow
def test_a_device_that_sums_up_itself_tells_the_same(
    tiny: Compose, monkeypatch: pytest.MonkeyPatch, overrides: tuple[str, ...]
) -> None:
    trainer = trainer_of(tiny, "model.cell=lstm", *overrides)
    state, step = advanced(trainer)
    here = look(trainer, state, step)
    monkeypatch.setattr(statistics, "summarizes_on_device", lambda: True)
    trainer.functions = build_functions.__wrapped__(trainer.functions.static)
    seen = statistics.compile_statistics(trainer.functions)(*trainer.next_step(state, step))
    assert isinstance(seen, StepStatistics)
    numbers, histograms = look(trainer, state, step)
    assert numbers.keys() == here[0].keys()
    for tag, value in here[0].items():
        assert numbers[tag] == pytest.approx(value, rel=1e-5), tag
    assert histograms.keys() == here[1].keys()
    for tag, (edges, counts) in here[1].items():
        # An edge near zero is as exact as the ends, from which it is counted.
        widest = 1e-5 * max(map(abs, edges))
        np.testing.assert_allclose(
            histograms[tag].edges, edges, rtol=1e-5, atol=widest, err_msg=tag
        )
        # Rounding may put a number that lies on an edge on its other side.
        assert np.abs(np.subtract(histograms[tag].counts, counts)).sum() <= 4, tag


@pytest.mark.parametrize(
    "overrides",
    [
        ("model.cell=lstm",),
        ("model.cell=gru", "optimizer=adam", "model.dropout=0.3", "model.layers=2"),
        ("model.cell=rnn", "optimizer=rmsprop", *SAMPLED, "model.weight_drop=0.2"),
        ("optimizer=sgd", "loss.kind=nce", "loss.samples=5", "model.embedding_dropout=0.4", *TIED),
        ("optimizer=lion", "optimizer.schedule=cosine", "optimizer.warmup_steps=9"),
        ("train.predict=last", "loss.activation_penalty=2", "loss.slowness_penalty=1"),
        ("model.cell=lstm", "loss.over_time=sum", "optimizer.average_patience=1", *TIED),
    ],
)
def test_numpy_computes_what_the_compiled_program_computes(
    tiny: Compose, overrides: tuple[str, ...]
) -> None:
    trainer = trainer_of(tiny, *overrides)
    state, step = advanced(trainer)
    arguments = trainer.next_step(state, step)
    found = statistics.compile_statistics(trainer.functions)(*arguments)
    # It would be compiled here if it had an operation that NumPy does not know.
    assert not any(isinstance(array, jax.Array) for array in jax.tree.leaves(found))
    compiled = trainer.functions.compile_beside(collect, recurrence="scan", seldom=True)
    for one, other in zip(
        jax.tree.leaves(found), jax.tree.leaves(compiled(*arguments)), strict=True
    ):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_units_driven_far_out_are_saturated(tiny: Compose) -> None:
    trainer = trainer_of(tiny, "model.cell=lstm")
    state = trainer.start()
    numbers, _ = look(trainer, state, 0)
    assert numbers["within/saturation/hid_out"] == 0
    assert numbers["within/saturation/layer_1/forget_gate"] == 0
    params = state.params
    params["hidden"]["bias"] += 10 * jnp.array([1, -1, 1, 0, 0, 0])
    size = trainer.config.model.rnn_size
    params["layers"][0]["bias"] = params["layers"][0]["bias"].at[size : 2 * size].set(-9.0)
    numbers, _ = look(trainer, state, 0)
    assert numbers["within/saturation/hid_out"] == pytest.approx(0.5)
    assert numbers["within/saturation/layer_1/forget_gate"] == 1
    assert numbers["within/saturation/layer_1/input_gate"] == 0


@pytest.mark.parametrize(
    ("cell", "saturable"),
    [
        ("rnn", {"layer_1/out"}),
        ("gru", {"layer_1/reset_gate", "layer_1/update_gate", "layer_1/candidate"}),
        (
            "lstm",
            {f"layer_1/{g}_gate" for g in ("input", "forget", "output")}
            | {"layer_1/candidate", "layer_1/cell_out"},
        ),
    ],
)
def test_saturation_is_told_of_every_tanh_and_gate(
    tiny: Compose, cell: str, saturable: set[str]
) -> None:
    trainer = trainer_of(tiny, f"model.cell={cell}")
    numbers, _ = look(trainer, trainer.start(), 0)
    told = {tag.removeprefix("within/saturation/") for tag in numbers if "saturation" in tag}
    assert told == saturable | {"hid_out"}


@pytest.mark.parametrize("name", CELLS)
def test_a_layer_that_is_looked_at_computes_and_learns_as_any_other(name: str) -> None:
    size, rngs = 3, nnx.Rngs(params=jax.random.key(0))
    graph, weights = nnx.split(CELLS[name](4, size, kernel_init=jax.random.normal, rngs=rngs))
    draw = np.random.default_rng(0)

    def normal(*shape: int) -> jax.Array:
        return jnp.asarray(draw.normal(size=shape), jnp.float32)

    weights = jax.tree.map(lambda x: normal(*x.shape), weights)
    carry = tuple(normal(2, size) for _ in CELLS[name].carry_names)
    x_tbe = normal(6, 2, 4)

    def loss(run: Callable[..., Any], weights: nnx.State) -> jax.Array:
        end, outputs, *_ = run(nnx.merge(graph, weights), carry, x_tbe)
        return (outputs**2).sum() + sum(part.sum() for part in end)

    for a, b in zip(
        jax.tree.leaves(jax.value_and_grad(loss, argnums=1)(run_cell, weights)),
        jax.tree.leaves(jax.value_and_grad(loss, argnums=1)(run_cell_with_residuals, weights)),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)
