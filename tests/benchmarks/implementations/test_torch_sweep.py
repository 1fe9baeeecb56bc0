from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml

from benchmarks.harness.compose import compose_values
from lm.config import CONFIG_DIR, parse_config
from lm.data.dataset import Dataset, load_dataset

torch = pytest.importorskip("torch", reason="the bench extra brings PyTorch")

from benchmarks.implementations import torch_sweep  # noqa: E402


def small(*overrides: str) -> dict[str, Any]:
    sizes = ["data.vocab_size=60", "model.embed_size=6", "model.rnn_size=8", "model.hidden_size=7"]
    return compose_values([*sizes, "train.batch_size=1", "train.sequence_length=5", *overrides])


@pytest.fixture
def text() -> Dataset:
    lee = load_dataset(parse_config(small()).data)
    return replace(lee, train=lee.train[:400], valid=lee.valid[:43], test=lee.test[:43])


def test_peer_trains_the_grid_of_our_sweep() -> None:
    path = CONFIG_DIR / "sweep" / "layer_grid.yaml"
    params = yaml.safe_load(path.read_text())["hydra"]["sweeper"]["params"]
    ours = {key: [int(word) for word in str(values).split(",")] for key, values in params.items()}
    assert {f"model.{name}": sizes for name, sizes in torch_sweep.GRID.items()} == ours


def test_trial_of_the_peer_learns_and_reports_each_epoch(
    text: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports: list[dict[str, float]] = []

    def report(metrics: dict[str, float], checkpoint: Any) -> None:
        assert Path(checkpoint.path, "state.pt").is_file()
        reports.append(metrics)

    context = SimpleNamespace(get_trial_dir=lambda: str(tmp_path))
    monkeypatch.setattr(torch_sweep.tune, "get_context", lambda: context)
    monkeypatch.setattr(torch_sweep.tune, "report", report)
    threads = torch.get_num_threads()
    sizes = {"embed_size": 4, "rnn_size": 5, "hidden_size": 6}
    torch_sweep.run_trial(sizes, small("train.epochs=3", "optimizer.learning_rate=0.01"), text)
    torch.set_num_threads(threads)
    losses = [metrics["valid/loss"] for metrics in reports]
    assert len(losses) == 3
    assert losses[-1] < losses[0] < np.log(60)
    assert list(tmp_path.glob("events.out.tfevents*"))
    assert ["test/loss" in metrics for metrics in reports] == [False, False, True]
