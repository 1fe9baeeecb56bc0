"""What a run records of its gradient flow, read back as TensorBoard's plugin gets it."""

import itertools
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator
from tensorboard.util import tensor_util

from lm.config import parse_config
from lm.data.dataset import load_dataset
from lm.gradient_flow.codec import decode
from lm.gradient_flow.itemize import ItemizeSpec
from lm.gradient_flow.plugin.tags import PLUGIN
from lm.gradient_flow.recorder import compile_itemize, mean_horizon, recording_interval
from lm.training.trainer import Trainer
from sweeps.errors import UserError
from sweeps.store.metrics import read_metrics
from tests.lm.helpers.packs import assert_same_parameters, lanes, train_pack
from tests.lm.helpers.training import final_state, history, killed_at, run

Compose = Callable[..., dict[str, Any]]
EVERY = "gradient_flow.every=20"
SAMPLED = ("loss.kind=sampled_softmax", "loss.samples=5", "model.dropout=0.2")
LSTM = ("layer_1/both", "layer_1/h", "layer_1/c")


def shown(folder: Path) -> dict[str, list[tuple[int, Any]]]:
    """Step and value of each record, by tag: an array, or bytes."""
    events = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    events.Reload()
    return {
        tag.removeprefix("gradient_flow/"): [
            (event.step, tensor_util.make_ndarray(event.tensor_proto))
            for event in events.Tensors(tag)
        ]
        for tag in events.PluginTagToContent(PLUGIN)
    }


def blobs(folder: Path) -> dict[str, list[tuple[int, bytes]]]:
    return {
        tag: [(step, value.item()) for step, value in points]
        for tag, points in shown(folder).items()
        if tag != "overview"
    }


@pytest.mark.parametrize(
    "overrides",
    [
        SAMPLED,
        pytest.param((), marks=pytest.mark.slow),
        pytest.param(("model.cell=gru", "train.predict=last"), marks=pytest.mark.slow),
    ],
)
def test_recording_changes_no_bit_of_training(
    tmp_path: Path, tiny: Compose, overrides: tuple[str, ...]
) -> None:
    silent, recorded = tiny(*overrides), tiny(*overrides, EVERY, "gradient_flow.units=true")
    run(tmp_path / "silent", silent)
    run(tmp_path / "recorded", recorded)
    for a, b in zip(
        final_state(tmp_path / "silent", silent),
        final_state(tmp_path / "recorded", recorded),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)
    pairs = zip(history(tmp_path / "silent"), history(tmp_path / "recorded"), strict=True)
    for quiet, shown in pairs:
        assert quiet == {tag: shown[tag] for tag in quiet}


def test_a_run_records_its_batches_words_and_horizons(tmp_path: Path, tiny: Compose) -> None:
    options = ("gradient_flow.batch_items=2", "gradient_flow.horizon=3", "gradient_flow.units=true")
    values = tiny(EVERY, *options)
    run(tmp_path, values)
    rows = read_metrics(tmp_path / "metrics.csv")
    found = blobs(tmp_path)
    assert set(found) == {*LSTM, "labels"}
    steps = [0, *(int(row["step"]) for row in rows)]
    pairs = itertools.pairwise(steps)
    expected = [0, *(at for before, at in pairs if at // 20 > before // 20 and at < steps[-1])]
    assert len(expected) > 2
    overviews = shown(tmp_path)["overview"]
    for name in LSTM:
        assert [step for step, _ in found[name]] == expected
        for place, (_, data) in enumerate(found[name]):
            record = decode(data)
            assert record.norms.shape == record.mean_abs.shape == (2, 5, 3)
            assert record.units is not None
            assert record.units.shape == (2, 5, 3, 7)
            largest, total, horizon = overviews[place][1][LSTM.index(name)]
            np.testing.assert_allclose(record.norms.max(), largest, rtol=0.002)
            np.testing.assert_allclose(record.norms.sum(), total, rtol=0.002)
            assert 0 < horizon <= 3
    row = next(row for row in rows if row["step"] == expected[1])
    assert row["gradient_flow/horizon/layer_1/c"] == overviews[1][1][2][2]
    assert 0 < row["gradient_flow/beyond/layer_1/both"] < 1
    assert_labels(values, json.loads(found["labels"][0][1]))
    events = EventAccumulator(str(tmp_path)).Reload()
    told = {bytes(text) for text in events.PluginTagToContent(PLUGIN).values()}
    assert [json.loads(text)["components"] for text in told] == [list(LSTM)]


@pytest.mark.parametrize("loss", [(), ("loss.kind=nce", "loss.samples=5")])
@pytest.mark.parametrize("drop", [(), ("model.embedding_dropout=0.4", "model.dropout=0.3")])
def test_record_of_one_step_is_the_gradient_that_the_update_applies(
    tiny: Compose, loss: tuple[str, ...], drop: tuple[str, ...]
) -> None:
    one = ("train.sequence_length=1", "train.batch_size=1", "train.clip_norm=null")
    rate = ("optimizer.momentum=0.0", "optimizer.learning_rate=1.0")
    config = parse_config(tiny("model.cell=rnn", *one, *rate, *loss, *drop))
    trainer = Trainer(config, load_dataset(config.data))
    state, step = trainer.start(), 0
    for _ in range(3):
        state, report = trainer.advance(state, step)
        step += report.steps
        look = compile_itemize(trainer.functions)
        flow = look(ItemizeSpec(1, None, False), *trainer.next_step(state, step))
        before = np.array(state.params["layers"][0]["recurrent_kernel"])
        call = (trainer.hyperparams(step), trainer.streams_lb, trainer.train_key, 1)
        state, _ = trainer.functions.advance(state, *call)
        step += 1
        applied = np.array(state.params["layers"][0]["recurrent_kernel"]) - before
        [recorded] = np.asarray(flow.measured["layer_1/h"].norm).reshape(-1)
        assert recorded > 0
        np.testing.assert_allclose(recorded, np.linalg.norm(applied), rtol=1e-3)


def assert_labels(values: dict[str, Any], labels: dict[str, Any]) -> None:
    """Check the labels of the first batch against the text."""
    config = parse_config(values)
    dataset = load_dataset(config.data)
    streams = np.asarray(Trainer(config, dataset).streams_lb)
    for sequence in range(2):
        words = dataset.vocabulary.decode(streams[:6, sequence])
        assert labels["inputs"][sequence] == words[:-1]
        assert labels["targets"][sequence] == words[1:]
        predicted = labels["predictions"][sequence]
        right = [one == other for one, other in zip(predicted, words[1:], strict=True)]
        assert labels["correct"][sequence] == right
        losses = np.array(labels["losses"][sequence])
        np.testing.assert_allclose(
            losses, np.log(len(dataset.vocabulary)), rtol=0.2
        )  # a fresh model
    assert set(labels["share_beyond"]) == set(LSTM)


def test_what_a_resumed_run_records_is_what_one_at_a_stretch_records(
    tmp_path: Path, tiny: Compose
) -> None:
    values = tiny(EVERY, "model.layers=2")
    run(tmp_path / "whole", values)
    last = int(read_metrics(tmp_path / "whole" / "metrics.csv")[-1]["step"])
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed", values, killed_at(last // 2 + 21))
    run(tmp_path / "killed", values)
    assert history(tmp_path / "killed") == history(tmp_path / "whole")
    whole = blobs(tmp_path / "whole")
    assert "layer_2/down" in whole
    assert blobs(tmp_path / "killed") == whole


def test_lanes_of_a_pack_record_what_they_do_and_train_the_same_bits(
    tmp_path: Path, tiny: Compose
) -> None:
    names = ("plain", "rate")
    silent = lanes(tiny, *names)
    train_pack(tmp_path / "silent", silent)
    train_pack(tmp_path / "recorded", lanes(tiny, *names, options=(EVERY,)))
    assert_same_parameters(tmp_path / "silent", tmp_path / "recorded", silent)
    plain, rate = (blobs(tmp_path / "recorded" / name)["layer_1/h"] for name in names)
    assert [step for step, _ in plain] == [step for step, _ in rate]
    assert plain[0] == rate[0]
    assert plain[1] != rate[1]


def test_more_records_than_wanted_are_spread_and_it_is_said(
    tmp_path: Path, tiny: Compose, caplog: pytest.LogCaptureFixture
) -> None:
    values = tiny("gradient_flow.every=1", "gradient_flow.records=3", "train.report_every=1")
    with caplog.at_level(logging.WARNING):
        run(tmp_path, values)
    last = int(read_metrics(tmp_path / "metrics.csv")[-1]["step"])
    every = -(-last // 3)
    assert [step for step, _ in blobs(tmp_path)["labels"]] == [0, every, 2 * every]
    assert f"every {every} updates" in caplog.text


def test_more_sequences_than_a_batch_has_are_refused(tiny: Compose) -> None:
    with pytest.raises(UserError, match=r"gradient_flow\.batch_items=5 is more than a batch has"):
        parse_config(tiny(EVERY, "gradient_flow.batch_items=5"))


def test_horizon_is_where_the_contribution_falls_below_a_tenth_of_its_peak() -> None:
    norms = np.zeros((1, 4, 4), np.float32)
    norms[0, 2, :3] = [1, 0.5, 0.09]  # 2 steps back
    norms[0, 3] = [0.01, 1, 0.2, 0.3]  # rises first, and is not below at the window's start: 4
    assert mean_horizon(norms) == 3
    norms[0, 3] = 0  # its loss is not trained
    assert mean_horizon(norms) == 2
    assert mean_horizon(np.zeros((1, 4, 4), np.float32)) == 0


def test_records_are_spread_over_a_run_where_there_would_be_too_many() -> None:
    assert recording_interval(100, 500, 50_000) == 100
    assert recording_interval(100, 500, 50_001) == 101
    assert recording_interval(1, None, 50_000) == 1
    assert recording_interval(None, 500, 50_000) is None
