import importlib.util

import numpy as np
import pytest

from benchmarks import training_speed
from benchmarks.harness.compose import compose_values
from benchmarks.harness.configurations import CONFIGURATIONS
from benchmarks.harness.synthetic_text import synthetic_text
from benchmarks.harness.worker import Worker
from benchmarks.training_speed import main
from lm.config import parse_config
from sweeps.errors import UserError

TINY = [
    "data.vocab_size=50",
    "model.embed_size=4",
    "model.rnn_size=4",
    "model.hidden_size=4",
    "train.batch_size=2",
    "train.sequence_length=3",
]


@pytest.mark.slow
def test_command_prints_a_row_for_each_implementation(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_speed, "measure_peak_flops", lambda *_: 1e12)
    main(["default", "--threads=1", "--rounds=1", "--steps=2", "--markdown", *TINY])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Machine: ")
    rows = [[cell.strip() for cell in line.split("|")] for line in lines if line.startswith("| ")]
    torch = importlib.util.find_spec("torch") is not None
    names = ["PyTorch", "Flax", "ours"] if torch else ["Flax", "ours"]
    assert [row[1] for row in rows[1:]] == names
    assert all(float(row[3]) > 0 for row in rows[1:])


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_configurations_are_sound(name: str) -> None:
    parse_config(compose_values(CONFIGURATIONS[name]))


def test_synthetic_text_follows_zipfs_law() -> None:
    config = parse_config(compose_values(CONFIGURATIONS["sherlock"]))
    ids = synthetic_text(config)
    ranks = np.arange(config.data.vocab_size or 0)
    expected = np.log1p(1 / (ranks + 1)) / np.log1p(len(ranks))
    frequencies = np.bincount(ids, minlength=len(ranks)) / len(ids)
    np.testing.assert_allclose(frequencies[:50], expected[:50], atol=0.003)
    assert ids.max() < len(ranks)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nonsense"], "no configuration nonsense"),
        (["--cells=lstm,elman"], "no cell elman"),
        (["default", "data.wrong=1"], "wrong"),
        (["default", "data.vocab_size=null"], "must be a number"),
    ],
)
def test_bad_input_is_refused(arguments: list[str], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        main(arguments)


def test_process_that_ends_early_is_reported() -> None:
    with pytest.raises(UserError, match=r"benchmarks\.nowhere ended early"):
        Worker("benchmarks.nowhere", compose_values(TINY), threads=1)
