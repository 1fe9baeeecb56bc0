"""Training as a whole: resuming, diverging, seeds, damaged checkpoints, and one compilation."""

import logging
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import pytest

from lm.data.vocabulary import Vocabulary
from sweeps.errors import UserError
from sweeps.store.metrics import read_metrics
from sweeps.store.trial import Trial, read_trial
from sweeps.tracking import OnReport
from tests.lm.helpers.training import assert_same, history, killed_at, run, signalled_at

Compose = Callable[..., dict[str, Any]]
DIVERGING = ("model.cell=rnn", "optimizer.learning_rate=1e38", "train.clip_norm=null")


def interrupted(directory: Path, values: Mapping[str, Any], on_report: OnReport) -> Trial:
    with pytest.raises(KeyboardInterrupt):
        run(directory, values, on_report)
    trial = read_trial(directory)
    assert trial.status == "interrupted"
    return trial


# The text gives 24 updates an epoch with predict=all and 115 with last, reported every 7 and 40.
PREDICT = {
    "all": ("train.predict=all", "train.report_every=7", "model.dropout=0.2"),
    "last": ("train.predict=last", "train.report_every=40", "model.dropout=0.2"),
}
STOPS = {
    "killed within the first epoch": ("all", killed_at, 14),
    "signalled within the second epoch": ("all", signalled_at, 30),
    "signalled at the end of an epoch": ("all", signalled_at, 23),
    "killed within the second epoch": ("last", killed_at, 195),
    "signalled within the first epoch": ("last", signalled_at, 40),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, tiny: Compose) -> dict[str, Path]:
    """Uninterrupted runs."""
    folders = {predict: tmp_path_factory.mktemp(predict) for predict in PREDICT}
    for predict, folder in folders.items():
        assert run(folder, tiny(*PREDICT[predict])).status == "finished"
    return folders


@pytest.mark.parametrize(("predict", "stop", "step"), STOPS.values(), ids=STOPS.keys())
def test_resumed_run_equals_uninterrupted_run(
    whole: dict[str, Path],
    tmp_path: Path,
    tiny: Compose,
    predict: str,
    stop: Callable[[int], OnReport],
    step: int,
) -> None:
    assert step in [row["step"] for row in history(whole[predict])]
    values = tiny(*PREDICT[predict], "train.checkpoint_minutes=0")
    trial = interrupted(tmp_path, values, stop(step))
    assert trial.step == step
    assert run(tmp_path, values).status == "finished"
    assert_same(tmp_path, whole[predict], values)


def test_resuming_in_a_process_that_has_compiled_compiles_nothing_and_changes_nothing(
    tmp_path: Path, tiny: Compose, caplog: pytest.LogCaptureFixture
) -> None:
    values = tiny("model.rnn_size=9", "optimizer=adam", "train.checkpoint_minutes=0")
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        run(tmp_path / "whole", values)
        interrupted(tmp_path / "resumed", values, killed_at(30))
        run(tmp_path / "resumed", values)
    compiled = [record.getMessage() for record in caplog.records]
    for function in ("train_steps", "evaluate"):
        assert sum(f"Compiling jit({function})" in line for line in compiled) == 1
    assert_same(tmp_path / "resumed", tmp_path / "whole", values)


@pytest.mark.parametrize("refused", [[], ["xla_old_option"], ["xla_old_option", "xla_other"]])
def test_log_names_the_options_that_the_compiler_does_not_take(
    tmp_path: Path,
    tiny: Compose,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    refused: list[str],
) -> None:
    monkeypatch.setattr("lm.training.session.refused_options", lambda: refused)
    with caplog.at_level(logging.INFO, logger="lm.training.session"):
        run(tmp_path, tiny("train.epochs=1"))
    told = [line for line in caplog.messages if line.startswith("This version of JAX has no ")]
    assert len(told) == bool(refused)
    assert all(f"has no {', '.join(refused)};" in line for line in told)


def test_run_killed_between_checkpoints_forgets_what_was_not_saved(
    whole: dict[str, Path], tmp_path: Path, tiny: Compose
) -> None:
    values = tiny(*PREDICT["all"], "train.checkpoint_minutes=60")
    interrupted(tmp_path, values, killed_at(37))
    resumed: list[int] = []
    run(tmp_path, values, lambda step, metrics, total: resumed.append(step))
    assert resumed[0] == 30  # from the checkpoint after the first epoch's 23 updates
    assert_same(tmp_path, whole["all"], values)


def test_signal_saves_the_step_that_it_reports(tmp_path: Path, tiny: Compose) -> None:
    values = tiny("train.checkpoint_minutes=60")
    trial = interrupted(tmp_path, values, signalled_at(14))
    assert trial.error is not None
    assert "stopped after step 14, which is saved" in trial.error
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["14"]


def test_training_lowers_the_loss_and_reports_every_metric(whole: dict[str, Path]) -> None:
    rows = read_metrics(whole["all"] / "metrics.csv")
    assert [row["step"] for row in rows] == [7, 14, 21, 23, 30, 37, 44, 46]
    epochs = [row for row in rows if "valid/loss" in row]
    assert [row["time/epoch"] for row in epochs] == [1, 2]
    assert epochs[1]["valid/loss"] < epochs[0]["valid/loss"] < math.log(21)
    assert epochs[1]["valid/perplexity"] == pytest.approx(math.exp(epochs[1]["valid/loss"]))
    assert "test/perplexity" in epochs[1]
    assert "test/perplexity" not in epochs[0]
    always = {"train/loss", "train/grad_norm", "train/learning_rate", "time/words_per_second"}
    assert all(always <= set(row) for row in rows)


def test_run_leaves_the_vocabulary_and_what_it_computed_on(whole: dict[str, Path]) -> None:
    vocabulary = Vocabulary.load(whole["all"] / "vocab.tsv")
    assert {"ba", "ku"} <= set(vocabulary.words)
    facts = (whole["all"] / "provenance.json").read_text()
    assert '"device"' in facts
    assert '"parameters"' in facts


def test_divergence_is_a_result_with_its_history(tmp_path: Path, tiny: Compose) -> None:
    values = tiny(*DIVERGING, "train.report_every=2")
    trial = run(tmp_path, values)
    rows = history(tmp_path)
    assert trial.status == "diverged"
    assert rows
    assert trial.step == rows[-1]["step"] < 46
    assert not all(math.isfinite(rows[-1][tag]) for tag in ("train/loss", "train/grad_norm"))
    assert all(math.isfinite(row["train/loss"]) for row in rows[:-1])


def test_damaged_checkpoint_falls_back_to_the_one_before(
    whole: dict[str, Path], tmp_path: Path, tiny: Compose, caplog: pytest.LogCaptureFixture
) -> None:
    values = tiny(*PREDICT["all"], "train.checkpoint_minutes=0")
    interrupted(tmp_path, values, signalled_at(37))
    damage(tmp_path / "checkpoints" / "37")
    with caplog.at_level(logging.WARNING, logger="lm.training.checkpoint"):
        assert run(tmp_path, values).status == "finished"
    assert "checkpoint 37 is damaged" in caplog.text
    assert_same(tmp_path, whole["all"], values)


def test_nothing_but_damaged_checkpoints_is_one_clear_error(tmp_path: Path, tiny: Compose) -> None:
    values = tiny("train.checkpoint_minutes=0")
    interrupted(tmp_path, values, signalled_at(14))
    checkpoints = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert checkpoints == ["14", "7"]
    for name in checkpoints:
        damage(tmp_path / "checkpoints" / name)
    rows = history(tmp_path)
    with pytest.raises(UserError, match=r"none of the checkpoints in .* can be read: .*; delete"):
        run(tmp_path, values)
    assert history(tmp_path) == rows


def damage(checkpoint: Path) -> None:
    for path in checkpoint.rglob("*"):
        if path.is_file():
            path.write_bytes(b"\0" * 10)


def test_same_seed_same_numbers_and_another_seed_others(tmp_path: Path, tiny: Compose) -> None:
    for name, seed in (("one", 3), ("same", 3), ("other", 4)):
        options = ("model.dropout=0.2", "train.predict=last", "train.epochs=1")
        run(tmp_path / name, tiny(*options, f"seed={seed}"))
    assert history(tmp_path / "one") == history(tmp_path / "same")
    for one, other in zip(history(tmp_path / "one"), history(tmp_path / "other"), strict=True):
        assert one["train/loss"] != other["train/loss"]


def test_trials_that_differ_in_numbers_share_one_compilation(
    tmp_path: Path, tiny: Compose, caplog: pytest.LogCaptureFixture
) -> None:
    """Across reports of several lengths, epochs, splits of different lengths, and trials."""
    options = ("model.cell=gru", "data.valid_fraction=0.15", "data.test_fraction=0.05")
    numbers = (
        ("optimizer.learning_rate=0.1", "optimizer.momentum=0.5", "model.dropout=0.1", "seed=0"),
        ("train.clip_norm=null", "train.epochs=1", "model.dropout=0.3", "seed=1"),
        ("optimizer.hold_epochs=1", "optimizer.decay=0.5", "model.dropout=0.2"),
    )
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        for number, changes in enumerate(numbers):
            run(tmp_path / str(number), tiny(*options, *changes))
    compiled = [record.getMessage() for record in caplog.records]
    for function in ("train_steps", "evaluate"):
        assert sum(f"Compiling jit({function})" in line for line in compiled) == 1
