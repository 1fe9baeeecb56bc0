"""The command of a single run: what it leaves, how it goes on, and what it says to bad input."""

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from lm.train import _changes_nothing, train_single
from sweeps.errors import UserError
from sweeps.io.atomic import read_json
from sweeps.single_run import given_settings, run_name
from sweeps.store.metrics import read_metrics
from sweeps.store.trial import read_trial

Compose = Callable[..., dict[str, Any]]


def start(folder: Path, *overrides: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "lm.train", *overrides],
        cwd=folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "COLUMNS": "200"},
    )


def end(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    with process:
        try:
            out, err = process.communicate(timeout=100)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return process.returncode, out, err


def single(values: dict[str, Any], *overrides: str) -> tuple[Path, str]:
    """Train within this process; gives the folder and what was printed."""
    terminal = io.StringIO()
    directory = train_single(values, overrides, Console(file=terminal, width=200))
    return directory, terminal.getvalue()


def test_ctrl_c_saves_and_the_same_command_goes_on(
    tmp_path: Path, tiny_overrides: list[str]
) -> None:
    command = (*tiny_overrides, "train.epochs=60", "name=stopped")
    directory = tmp_path / "outputs" / "single" / "stopped"
    process = start(tmp_path, *command)
    deadline = time.monotonic() + 60
    while not read_metrics(directory / "metrics.csv")[4:]:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    status, out, err = end(process)
    assert status == 130, err
    assert "Traceback" not in err
    stopped = read_trial(directory)
    saved = (
        f"stopped after step {stopped.step}, which is saved; the same command goes on from there."
    )
    assert saved in out
    assert stopped.status == "interrupted"
    assert (directory / "checkpoints" / str(stopped.step)).is_dir()

    status, out, err = end(start(tmp_path, *command))
    assert status == 0, err
    assert f"python -m lm.board {directory.parent.relative_to(tmp_path)}" in out
    finished = read_trial(directory)
    assert finished.status == "finished"
    assert finished.step == finished.total_steps == 60 * 23
    steps = [row["step"] for row in read_metrics(directory / "metrics.csv")]
    expected = [23 * epoch + step for epoch in range(60) for step in (7, 14, 21, 23)]
    assert steps == expected
    assert len(list(directory.glob("events.out.tfevents.*"))) == 2


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("model.cel=lstm", "error: model.cel is no option; did you mean model.cell?"),
        ("model.layers=2.5", "Value '2.5' of type 'float' could not be converted to Integer"),
        ("data.vocab_size=1", "error: data.vocab_size=1 is out of range; it must be at least 2"),
    ],
)
def test_command_refuses_bad_input_without_a_traceback(
    tmp_path: Path, override: str, sentence: str
) -> None:
    status, out, err = end(start(tmp_path, override))
    assert status == 1
    assert sentence in err
    assert "Traceback" not in out + err
    assert not list(tmp_path.iterdir())


def test_run_leaves_all_that_describes_it(tmp_path: Path, tiny: Compose) -> None:
    overrides = ("model.cell=rnn", "train.epochs=1")
    values = tiny(*overrides, f"output_dir={tmp_path}")
    directory, printed = single(values, *overrides)
    key = read_trial(directory).fingerprint
    assert directory.parent == tmp_path / "single"
    assert directory.name == f"cell=rnn,epochs=1,id={key[:6]}"
    names = {path.name.partition(".out")[0] for path in directory.iterdir()}
    assert {"provenance.json", "metrics.csv", "result.json", "vocab.tsv", "checkpoints"} <= names
    assert {"config.yaml", "overrides.yaml", "events"} <= names
    assert yaml.safe_load((directory / "config.yaml").read_text()) == values
    assert yaml.safe_load((directory / "overrides.yaml").read_text()) == list(overrides)
    assert (read_json(directory / "provenance.json") or {})["seed"] == 0
    trial = read_trial(directory)
    assert trial.status == "finished"
    assert trial.metrics["valid/perplexity"] == trial.best_of("valid/perplexity")[0]
    assert f"valid perplexity {trial.metrics['valid/perplexity']:.2f}" in printed


def test_finished_run_is_not_trained_again_unless_asked(tmp_path: Path, tiny: Compose) -> None:
    options = ("train.epochs=1", f"output_dir={tmp_path}")
    directory, _ = single(tiny(*options))
    events = list(directory.glob("events.*"))
    config, rows = (directory / "config.yaml").read_bytes(), read_metrics(directory / "metrics.csv")
    (directory / "config.yaml").write_bytes(b"")  # as a power cut leaves files
    (directory / "metrics.csv").write_bytes(b"")
    again, printed = single(tiny(*options))
    assert again == directory
    assert (directory / "config.yaml").read_bytes() == config
    restored = read_metrics(directory / "metrics.csv")
    assert [pytest.approx(row, rel=1e-6) for row in rows] == restored
    assert "Trained before; fresh=true trains it again." in printed
    assert list(directory.glob("events.*")) == events

    afresh, printed = single(tiny(*options, "fresh=true"))
    assert afresh == directory
    assert "The earlier run is now" in printed
    assert list(directory.glob("events.*")) != events
    assert len(list((tmp_path / "single").iterdir())) == 2


def test_name_of_another_configurations_run_is_refused(tmp_path: Path, tiny: Compose) -> None:
    options = ("train.epochs=1", f"output_dir={tmp_path}", "name=mine")
    single(tiny(*options))
    with pytest.raises(UserError, match="holds a result of a different configuration"):
        single(tiny(*options, "seed=1"))


@pytest.mark.parametrize("name", ["../../escaped", "/tmp/escaped", "a/b", "..", ".hidden", "a b"])
def test_a_name_that_leaves_the_folder_is_refused(tmp_path: Path, tiny: Compose, name: str) -> None:
    with pytest.raises(UserError, match=r"^name=.* cannot name a folder; use letters"):
        single({**tiny(f"output_dir={tmp_path}"), "name": name})
    assert not list(tmp_path.iterdir())


def test_a_url_is_refused_and_its_password_not_repeated(tiny: Compose) -> None:
    for url in ("s3://KEY:hunter2@bucket/x", "s3://bucket/x?secret_key=hunter2", "s3://bucket/x"):
        with pytest.raises(UserError) as caught:
            single({**tiny(), "output_dir": url})
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("below", ["", "/deeper"])
def test_unwritable_output_directory_is_one_sentence(
    tmp_path: Path, tiny: Compose, below: str
) -> None:
    file = tmp_path / "file"
    file.write_text("not a folder")
    with pytest.raises(UserError, match=f"cannot write {file}"):
        single(tiny(f"output_dir={file}{below}"))


def test_run_name_leaves_out_where_text_and_results_lie() -> None:
    overrides = ["data=text", "data.files=[/a/b.txt]", "output_dir=/c", "model.rnn_size=9"]
    name = run_name(given_settings(overrides, _changes_nothing), "3f2a9c" + "0" * 58)
    assert name == "data=text,rnn_size=9,id=3f2a9c"
