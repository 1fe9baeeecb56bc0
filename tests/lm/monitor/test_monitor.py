"""What a trial shows, read back from its event files as TensorBoard reads them."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator
from tensorboard.util import tensor_util

from lm.monitor import monitor
from sweeps.errors import UserError
from sweeps.store.metrics import read_metrics
from tests.lm.helpers.packs import assert_same_parameters, lanes, train_pack
from tests.lm.helpers.training import final_state, history, killed_at, run

Compose = Callable[..., dict[str, Any]]
ALL = ("log.histogram_every=20", "log.sample_words=12", "log.embedding_words=8", "log.graph=true")
SAMPLED = ("loss.kind=sampled_softmax", "loss.samples=5")


def read_back(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    events.Reload()
    return events


def steps(events: EventAccumulator, tag: str) -> list[int]:
    return [event.step for event in events.Tensors(tag)]


@pytest.mark.parametrize(
    "overrides",
    [
        SAMPLED,
        pytest.param((), marks=pytest.mark.slow),
        pytest.param(("model.cell=gru", "train.predict=last"), marks=pytest.mark.slow),
    ],
)
def test_showing_everything_changes_no_bit_of_training(
    tmp_path: Path, tiny: Compose, overrides: tuple[str, ...]
) -> None:
    silent, open_ = tiny(*overrides), tiny(*overrides, *ALL)
    run(tmp_path / "silent", silent)
    run(tmp_path / "open", open_)
    for a, b in zip(
        final_state(tmp_path / "silent", silent), final_state(tmp_path / "open", open_), strict=True
    ):
        np.testing.assert_array_equal(a, b)
    for quiet, shown in zip(history(tmp_path / "silent"), history(tmp_path / "open"), strict=True):
        assert quiet == {tag: shown[tag] for tag in quiet}


def test_a_trial_shows_looks_inside_text_vectors_and_graph(tmp_path: Path, tiny: Compose) -> None:
    run(tmp_path, tiny(*ALL))
    last = int(read_metrics(tmp_path / "metrics.csv")[-1]["step"])
    epoch = last // 2
    events = read_back(tmp_path)
    for tag in (
        "within_activations/hid_out",
        "within_activations/layer_1/forget_gate",
        "within_gradients/layer_1/recurrent_kernel",
        "within_parameters/embedding/weight",
    ):
        shown = steps(events, tag)
        assert shown[0] == 0
        assert len(shown) == 1 + last // 20
        left_right_count = tensor_util.make_ndarray(events.Tensors(tag)[-1].tensor_proto)
        assert left_right_count.shape[1] == 3
    assert steps(events, "samples") == [epoch, last]
    text = tensor_util.make_ndarray(events.Tensors("samples")[-1].tensor_proto).item().decode()
    assert len(text.split()) > 8
    assert b"layer_1" in events.Graph().SerializeToString()
    assert (tmp_path / "projector_config.pbtxt").is_file()
    with_looks = [row for row in read_metrics(tmp_path / "metrics.csv") if row["step"] == last]
    assert "within/update_norm/layer_1" in with_looks[0] or last % 20


def test_what_a_resumed_trial_shows_is_what_one_at_a_stretch_shows(
    tmp_path: Path, tiny: Compose
) -> None:
    values = tiny(*ALL)
    run(tmp_path / "whole", values)
    last = int(read_metrics(tmp_path / "whole" / "metrics.csv")[-1]["step"])
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed", values, killed_at(last // 2 + 21))
    run(tmp_path / "killed", values)
    assert history(tmp_path / "killed") == history(tmp_path / "whole")
    whole, killed = read_back(tmp_path / "whole"), read_back(tmp_path / "killed")
    for tag in ("within_activations/hid_out", "samples"):
        assert [(e.step, e.tensor_proto) for e in whole.Tensors(tag)] == [
            (e.step, e.tensor_proto) for e in killed.Tensors(tag)
        ]


def test_lanes_of_a_pack_show_what_they_do_and_train_the_same_bits(
    tmp_path: Path, tiny: Compose
) -> None:
    names = ("plain", "rate")
    silent = lanes(tiny, *names)
    train_pack(tmp_path / "silent", silent)
    train_pack(tmp_path / "open", lanes(tiny, *names, options=ALL))
    assert_same_parameters(tmp_path / "silent", tmp_path / "open", silent)
    for name in names:
        events = read_back(tmp_path / "open" / name)
        assert steps(events, "within_activations/hid_out")[:2] == [0, 21]
        assert len(steps(events, "samples")) == 2


def test_training_goes_on_without_a_graph_that_cannot_be_made(
    tmp_path: Path, tiny: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "graph_or_none", lambda *shape: None)
    trial = run(tmp_path, tiny("log.graph=true", "train.epochs=1"))
    assert trial.status == "finished"


def test_a_prompt_of_unknown_words_is_refused_before_training(
    tiny: Compose, caplog: pytest.LogCaptureFixture
) -> None:
    from lm.hooks.identity import identify

    with (
        caplog.at_level(logging.WARNING),
        pytest.raises(UserError, match=r"log\.sample_prompt.*zzz"),
    ):
        identify(tiny("log.sample_prompt=zzz"))
