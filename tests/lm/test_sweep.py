"""A whole sweep of language models, and the single run that reproduces a trial of it."""

import csv
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from sweeps.store.metrics import read_metrics
from tests.lm.helpers.training import history

TAGS = {
    "train/loss",
    "train/grad_norm",
    "train/learning_rate",
    "valid/loss",
    "valid/perplexity",
    "time/words_per_second",
}


def command(folder: Path, module: str, *overrides: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", module, *overrides],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def sweep(
    tmp_path_factory: pytest.TempPathFactory, tiny_overrides: list[str]
) -> tuple[Path, str, list[dict[str, str]]]:
    """The working directory, what was printed, and the rows of results.csv."""
    folder = tmp_path_factory.mktemp("sweep")
    axes = ("+sweep=learning_rate", "optimizer.learning_rate=0.1,0.01", "optimizer.momentum=0.8")
    printed = command(folder, "lm.sweep", *tiny_overrides, *axes)
    with (folder / "outputs" / "learning_rate" / "results.csv").open(newline="") as file:
        return folder, printed, list(csv.DictReader(file))


def test_results_have_a_row_a_trial_ranked_by_validation_perplexity(
    sweep: tuple[Path, str, list[dict[str, str]]],
) -> None:
    _, printed, rows = sweep
    assert {"trial", "status", "seconds", "time/words_per_second", "directory"} <= set(rows[0])
    assert {"best/valid/perplexity", "test/perplexity"} | TAGS <= set(rows[0])
    assert {row["optimizer.learning_rate"] for row in rows} == {"0.1", "0.01"}
    assert {row["status"] for row in rows} == {"finished"}
    best = [float(row["best/valid/perplexity"]) for row in rows]
    assert best == sorted(best)
    assert best[0] < 21
    assert "look at it:  python -m lm.board outputs/learning_rate" in printed


def test_trials_lie_in_folders_of_their_own_names(
    sweep: tuple[Path, str, list[dict[str, str]]],
) -> None:
    folder, _, rows = sweep
    for row in rows:
        rate = row["optimizer.learning_rate"]
        # Momentum is no axis any more: the command line gives it one value.
        assert re.fullmatch(rf"lr={re.escape(rate)},id=[0-9a-f]{{6}}", row["trial"])
        directory = folder / row["directory"]
        assert directory == folder / "outputs" / "learning_rate" / row["trial"]
        for name in ("config.yaml", "vocab.tsv", "metrics.csv", "result.json", "checkpoints"):
            assert (directory / name).exists()


def test_tensorboard_reads_every_metric(sweep: tuple[Path, str, list[dict[str, str]]]) -> None:
    folder, _, rows = sweep
    for row in rows:
        events = EventAccumulator(str(folder / row["directory"]))
        events.Reload()
        assert TAGS <= set(events.Tags()["scalars"])
        points = {point.step: point.value for point in events.Scalars("valid/perplexity")}
        table = read_metrics(folder / row["directory"] / "metrics.csv")
        written = {line["step"]: line["valid/perplexity"] for line in table if "valid/loss" in line}
        assert points == pytest.approx(written, rel=1e-6)


@pytest.mark.slow
def test_printed_command_with_a_trials_threads_reproduces_the_best_bit_by_bit(
    sweep: tuple[Path, str, list[dict[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, printed, rows = sweep
    monkeypatch.setenv("NPROC", "1")
    (line,) = re.findall(r"^again alone: python -m (.*)$", printed, re.MULTILINE)
    module, *overrides = shlex.split(line)
    assert module == "lm.train"
    command(folder, module, *overrides)
    (single,) = (folder / "outputs" / "single").iterdir()
    assert single.name.endswith(rows[0]["trial"].rpartition("id=")[2])  # the same fingerprint
    assert history(single) == history(folder / rows[0]["directory"])
