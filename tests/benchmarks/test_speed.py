import importlib.util

import numpy as np
import pytest

from benchmarks.compose import compose_values
from benchmarks.contender import Contender, synthetic_text
from benchmarks.speed import CONFIGURATIONS, main
from lm.config import typed
from sweeps.errors import UserError

TINY = [
    "data.vocab_size=50",
    "model.embed_size=4",
    "model.rnn_size=4",
    "model.hidden_size=4",
    "train.batch_size=2",
    "train.sequence_length=3",
]


def test_command_prints_a_row_for_each_implementation(capsys: pytest.CaptureFixture[str]) -> None:
    main(["default", "--threads=1", "--rounds=1", "--steps=2", *TINY])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    names = [row[0] for row in rows if len(row) > 6 and row[0] in ("ours", "PyTorch")]
    both = importlib.util.find_spec("torch") is not None
    assert names == (["PyTorch", "ours"] if both else ["ours"])


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_configurations_are_sound(name: str) -> None:
    typed(compose_values(CONFIGURATIONS[name]))


def test_synthetic_text_follows_zipfs_law() -> None:
    config = typed(compose_values(CONFIGURATIONS["sherlock"]))
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
        (["default", "data.wrong=1"], "wrong"),
        (["default", "data.vocab_size=null"], "must be a number"),
    ],
)
def test_bad_input_is_refused(arguments: list[str], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        main(arguments)


def test_process_that_ends_early_is_reported() -> None:
    with pytest.raises(UserError, match=r"benchmarks\.nowhere ended early"):
        Contender("benchmarks.nowhere", compose_values(TINY), threads=1)
