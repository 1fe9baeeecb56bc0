"""Ours trains as the published program does, in an implementation that shares nothing with it."""

import random
from pathlib import Path

import pytest

from benchmarks.harness.compose import compose_values
from lm.config import parse_config
from sweeps.errors import UserError

pytest.importorskip("torch", reason="the bench extra brings PyTorch")

from benchmarks import ptb_reference
from benchmarks.implementations import torch_ptb
from benchmarks.implementations.torch_ptb import SETTINGS
from benchmarks.ptb_reference import compare, main

TINY = (
    *("model.embed_size=8", "model.rnn_size=8", "train.batch_size=4", "train.sequence_length=5"),
    *("train.clip_norm=1", "optimizer.hold_epochs=2", "model.embed_scale=0.3"),
    *("model.initializer.scale=0.3", "train.report_every=50"),
)
SMALL = torch_ptb.Settings(8, 5, 1.0, 2, 0.5, 1, batch_size=4)


@pytest.fixture(scope="module")
def treebank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lines of a few words, each with two likely successors; splits that fill no last window."""
    folder, draw = tmp_path_factory.mktemp("ptb"), random.Random(0)
    words = [*"abcdefghijklmno", "<unk>", "N", "$", "'s"]
    for split, lines in (("train", 90), ("valid", 12), ("test", 7)):
        place, text = 0, ""
        for _ in range(lines):
            line = []
            for _ in range(draw.randint(4, 11)):
                line.append(words[place])
                place = (3 * place + draw.choice([1, 1, 4])) % len(words)
            text += f" {' '.join(line)} \n"
        (folder / f"ptb.{split}.txt").write_text(text)
    return folder


@pytest.mark.parametrize("share", [1.0, 0.4])
@pytest.mark.slow
def test_both_come_to_the_same_perplexities(treebank: Path, share: float) -> None:
    """Over epochs at the full rate and at decayed ones, some updates clipped."""
    root = f"data.root={treebank}"
    values = compose_values(["+experiment=ptb_small", *ptb_reference.QUIET, *TINY, root])
    found = list(compare(values, SMALL, epochs=4, share=share))
    for ours, reference in found:
        assert ours.train == pytest.approx(reference.train, rel=1e-4)
        assert ours.valid == pytest.approx(reference.valid, rel=1e-4)
    assert found[0][0].valid > found[-1][0].valid


@pytest.mark.parametrize("size", SETTINGS)
def test_reference_and_experiment_have_the_same_numbers(size: str) -> None:
    config, settings = parse_config(compose_values([f"+experiment=ptb_{size}"])), SETTINGS[size]
    model, optimizer, train = config.model, config.optimizer, config.train
    assert settings == torch_ptb.Settings(
        model.rnn_size,
        train.sequence_length,
        pytest.approx(1 - model.dropout),  # type: ignore[arg-type]
        optimizer.hold_epochs or 0,
        pytest.approx(optimizer.decay),  # type: ignore[arg-type]
        train.clip_norm or 0.0,
        optimizer.learning_rate,
        model.layers,
        train.batch_size,
    )
    assert model.embed_size == settings.hidden_size


@pytest.mark.slow
def test_table_has_a_row_for_each_epoch(
    treebank: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(SETTINGS, "small", SMALL)
    main(["--markdown", "--epochs", "2", "--slice", "0.5", *TINY, f"data.root={treebank}"])
    said = capsys.readouterr().out
    assert "PTB small, perplexity, the first 50% of the training text" in said
    firsts = [line.split("|")[1].strip() for line in said.splitlines() if line.startswith("|")]
    assert firsts[2:] == ["1", "2"]


@pytest.mark.parametrize("option", [("--slice", "0"), ("--slice", "1.5"), ("--epochs", "0")])
def test_share_and_epochs_that_make_no_sense_are_refused(option: tuple[str, str]) -> None:
    with pytest.raises(UserError, match="--slice is a share above 0"):
        main([*option])


def test_other_vocabulary_is_refused(treebank: Path) -> None:
    root = f"data.root={treebank}"
    values = compose_values(["+experiment=ptb_small", *TINY, root, "data.vocab_size=9"])
    with pytest.raises(UserError, match=r"data\.vocab_size must keep all"):
        next(compare(values, SMALL, epochs=1, share=1.0))
