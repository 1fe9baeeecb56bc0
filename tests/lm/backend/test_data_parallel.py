"""Data parallelism: two devices give what one gives."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lm.backend import execution
from lm.backend.data_parallel import first_replica, replicate
from lm.config import Config, parse_config
from lm.data.batches import to_streams
from lm.model.initializers import InitScales
from lm.optim.optimizer import hyperparameters
from lm.training.functions import CompiledFunctions, build_functions, make_static_config
from lm.training.metrics import collect_updates
from sweeps.io.atomic import read_json
from tests.lm.helpers.training import assert_same, history, killed_at, run

Compose = Callable[..., dict[str, Any]]
VOCAB = 60
STREAMS = to_streams(np.random.default_rng(0).integers(0, VOCAB, 1600).astype(np.int32), 16)
SCALES = InitScales(*(jnp.float32(0.5) for _ in InitScales._fields))
SHARDED = (
    *("loss.kind=sampled_softmax", "loss.samples=5"),
    *("train.batch_size=16", "train.sequence_length=16"),
)
"""As little as is sharded at all."""


def configure(tiny: Compose, *overrides: str) -> Config:
    return parse_config(tiny(*SHARDED, "optimizer.learning_rate=0.3", *overrides))


def program(config: Config, monkeypatch: pytest.MonkeyPatch, devices: int) -> CompiledFunctions:
    with monkeypatch.context() as machine:
        machine.setattr(execution.jax, "local_device_count", lambda: devices)
        built: CompiledFunctions = build_functions.__wrapped__(make_static_config(config, VOCAB))
    assert built.compute.shards == devices
    return built


def train(program: CompiledFunctions, config: Config, steps: int) -> tuple[Any, np.ndarray]:
    """The state after so many steps, all rows up to date, and what each step measured."""
    values = hyperparameters(config, 0)
    text = replicate(jnp.asarray(STREAMS), program.compute.shards)
    state = program.initialize(jax.random.key(1), SCALES)
    turns = []
    for turn in program.chunks(state, values, text, jax.random.key(5), steps):
        state, totals = turn
        turns.append(jax.device_get(totals))
    return program.flush(state, values, jnp.bool_(True)), collect_updates(turns)


@pytest.mark.parametrize(
    "options",
    [
        ("model.cell=gru", "loss.kind=nce", "model.layers=2", "model.dropout=0.3"),
        *(
            pytest.param(options, marks=pytest.mark.slow)
            for options in (
                ("model.cell=rnn", "optimizer=rmsprop", "optimizer.learning_rate=0.003"),
                ("model.dropout=0.3", "model.dropout_kind=locked", "model.embedding_dropout=0.2"),
                ("model.weight_drop=0.4", "loss.activation_penalty=2", "loss.slowness_penalty=1"),
                ("model.tie_weights=true", "model.embed_size=6", "loss.over_time=sum"),
                ("train.predict=last",),
                ("loss.kind=softmax", "train.clip_norm=0.01"),
            )
        ),
    ],
)
@pytest.mark.slow
def test_two_devices_give_what_one_gives(
    tiny: Compose, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    config = configure(tiny, *options)
    alone, measured_alone = train(program(config, monkeypatch, 1), config, 7)
    shared, measured = train(program(config, monkeypatch, 2), config, 7)
    np.testing.assert_allclose(measured, measured_alone, rtol=1e-5)
    for one, other in zip(jax.tree.leaves(shared), jax.tree.leaves(alone), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_every_device_has_the_same_bits(tiny: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    config = configure(tiny, "model.dropout=0.3")
    state, _ = train(program(config, monkeypatch, 2), config, 20)
    for array in jax.tree.leaves(state):
        first, second = (np.asarray(array.addressable_data(device)) for device in range(2))
        np.testing.assert_array_equal(first, second)


def test_first_replica_is_no_copy() -> None:
    whole = replicate({"a": jnp.arange(3.0)}, 2)["a"]
    view = first_replica({"a": whole})["a"]
    assert view.sharding.device_set == {jax.local_devices()[0]}
    assert view.unsafe_buffer_pointer() == whole.addressable_data(0).unsafe_buffer_pointer()


@pytest.mark.parametrize(
    ("shards", "options"),
    [
        (2, ()),
        (1, ("train.batch_size=15",)),
        (1, ("train.sequence_length=15",)),
        (1, ("train.batch_size=33",)),  # no two halves
        (2, ("loss.kind=softmax",)),
        (2, ("optimizer=adam",)),
        (1, ("model.rnn_size=500",)),  # a gradient of a million numbers
        (2, ("model.rnn_size=500", "train.batch_size=32")),
    ],
)
def test_batches_are_sharded_where_there_is_enough_to_compute(
    tiny: Compose, shards: int, options: tuple[str, ...]
) -> None:
    built = build_functions(make_static_config(configure(tiny, *options), VOCAB))
    assert built.compute.shards == shards
    assert built.lanes_compute.shards == 1


LOOKS = (
    *("log.histogram_every=2", "log.sample_words=3", "log.embedding_words=10"),
    *("gradient_flow.every=2", "model.dropout=0.2"),
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [(), ("loss.kind=softmax", "optimizer.average_patience=1", "optimizer.weight_decay=0.01")],
    ids=["sampled loss", "full softmax, averaged"],
)
def test_trial_of_two_devices_is_looked_into_saved_and_resumed_like_any_other(
    tmp_path: Path,
    tiny: Compose,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    options: tuple[str, ...],
) -> None:
    values = tiny(*SHARDED, *LOOKS, *options, "train.epochs=6", "train.checkpoint_minutes=0")
    with caplog.at_level(logging.INFO):
        assert run(tmp_path / "whole", values).status == "finished"
    assert "data-parallel over 2 devices" in caplog.text
    assert (read_json(tmp_path / "whole" / "provenance.json") or {})["shards"] == 2
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "resumed", values, killed_at(3))
    assert run(tmp_path / "resumed", values).status == "finished"
    assert_same(tmp_path / "whole", tmp_path / "resumed", values)

    build_functions.cache_clear()
    with monkeypatch.context() as machine:
        machine.setattr(execution.jax, "local_device_count", lambda: 1)
        assert run(tmp_path / "alone", values).status == "finished"
    build_functions.cache_clear()
    alone, shared = history(tmp_path / "alone"), history(tmp_path / "whole")
    assert [row.keys() for row in alone] == [row.keys() for row in shared]
    if "optimizer.average_patience=1" in options:
        assert shared[-1]["train/averaged_updates"] > 0
    for one, other in zip(alone, shared, strict=True):
        assert other == pytest.approx(one, rel=1e-4)
