"""The peer writes what ours does; otherwise its speed would say nothing."""

from collections.abc import Callable

import numpy as np
import pytest

from lm.config import Config

torch = pytest.importorskip("torch", reason="the bench extra brings PyTorch")

from benchmarks import generation_speed  # noqa: E402
from benchmarks.implementations import lm_generation, torch_generation  # noqa: E402
from tests.benchmarks.implementations.test_torch_training import as_torch  # noqa: E402

Configure = Callable[..., Config]


def test_peer_writes_the_likeliest_words_that_ours_does(configure: Configure) -> None:
    config, ids = configure(), np.array([3], np.int32)
    ours = lm_generation.Training(config, ids, samples=2, temperature=0)
    peer = torch_generation.Training(config, ids, samples=2, temperature=0)
    peer.model.load_state_dict(as_torch(ours.params))
    found = peer.write(12)
    assert len({*found[:, 0]}) > 1
    for place, text in enumerate(ours.write(12)):
        np.testing.assert_array_equal(found[:, place], text.ids)


def test_peer_draws_words_as_often_as_the_softmax_says() -> None:
    peer = object.__new__(torch_generation.Training)
    peer.temperature = 2.0
    logits = torch.tensor([1.0, -1.0, 3.0, 0.0])
    torch.manual_seed(0)
    drawn = np.bincount(peer._draw(logits.expand(4000, 4)).numpy(), minlength=4)
    shares = np.exp(logits.numpy() / 2) / np.exp(logits.numpy() / 2).sum()
    np.testing.assert_array_less(
        abs(drawn - 4000 * shares), 4.5 * np.sqrt(4000 * shares * (1 - shares))
    )


@pytest.mark.slow
def test_command_prints_a_row_for_each_implementation(capsys: pytest.CaptureFixture[str]) -> None:
    small = ["data.vocab_size=50", "model.embed_size=4", "model.rnn_size=4", "model.hidden_size=4"]
    plan = ["--samples=3", "--rounds=1", "--steps=2", "--threads=1", "--markdown"]
    generation_speed.main(["default", *plan, *small])
    rows = [line.split("|") for line in capsys.readouterr().out.splitlines() if "| " in line]
    assert [row[1].strip() for row in rows[1:]] == ["PyTorch", "ours"]
    assert [row[2].strip() for row in rows[1:]] == ["3", "3"]
    assert float(rows[2][7]) > 0
