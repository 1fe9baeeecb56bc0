"""A whole sweep of a program that is no language model, through Hydra and Ray."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sweeps.files import read_json
from sweeps.writer import read_metrics

HERE = Path(__file__).parent


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    environment.pop("RAY_ADDRESS", None)
    command = [sys.executable, "-m", "toy", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, cwd=folder, env=environment, text=True, stdout=pipe, stderr=pipe
    )


def end(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    with process:
        try:
            out, err = process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def toy(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return end(start(folder, *arguments))


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--multirun", "rate=0.1"], "there is nothing to sweep over"),
        (["--multirun", "rate=interval(0,1)"], "has no end of values"),
        (["+sweep=grid", "rate=0.1,-1"], "rate=-1 is out of range"),
        (["+sweep=grid", "rat=0.1"], "Could not override 'rat'"),
        (["+sweep=grid", "shape=tiny"], "Could not find 'shape/tiny'"),
        (["+sweep=grid", "output_dir=/proc/x"], "cannot write /proc/x/grid"),
        (["+sweep=grid", "sweep.mode=best"], "sweep.mode=best is not known"),
        (["+sweep=grid", "sweep.name=a/b"], "sweep.name=a/b cannot name a folder"),
    ],
)
def test_bad_input_stops_before_anything_runs(
    tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    done = toy(tmp_path, *arguments)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("result.json"))


def test_sweep_survives_its_trials_and_continues_where_it_stopped(tmp_path: Path) -> None:
    command = ["+sweep=grid", "shape=small", "rate=0.1,2", "steps=20", "pause=0.05"]
    done = toy(tmp_path, *command, "fault=none,raise,kill_once,kill")
    folder = tmp_path / "outputs" / "grid"
    found = {(row["rate"], row["fault"]): row for row in rows(folder)}
    assert done.returncode == 1, done.stderr
    assert {key: row["status"] for key, row in found.items()} == {
        ("0.1", "none"): "finished",
        ("0.1", "kill_once"): "finished",
        ("2", "none"): "diverged",
        ("2", "kill_once"): "diverged",
        ("0.1", "raise"): "failed",
        ("2", "raise"): "failed",
        ("0.1", "kill"): "failed",
        ("2", "kill"): "failed",
    }
    check_killed_trial_went_on(tmp_path, found["0.1", "none"], found["0.1", "kill_once"])
    check_terminal(done.stdout, found)

    again = toy(tmp_path, *command, "fault=none,kill_once")
    assert again.returncode == 0
    assert "[1/" not in again.stdout  # nothing was left to run
    assert [row["fault"] for row in rows(folder)] == ["none", "kill_once", "none", "kill_once"]

    crowded = toy(tmp_path, *command, "seed=1", "sweep.cpus_per_trial=999")
    assert crowded.returncode == 1
    assert "a trial asks for 999 CPUs" in crowded.stderr


def check_killed_trial_went_on(root: Path, whole: dict[str, str], killed: dict[str, str]) -> None:
    """The killed trial's numbers are an undisturbed one's, and it has no gap and no overlap."""
    tables = [read_metrics(root / row["directory"] / "metrics.csv") for row in (whole, killed)]
    undisturbed, resumed = ([(row["step"], row["loss"]) for row in table] for table in tables)
    assert resumed == undisturbed
    facts = read_json(root / whole["directory"] / "provenance.json") or {}
    assert (facts["device"], facts["share"]) == ("toy", "1:0")


def check_terminal(text: str, found: dict[tuple[str, str], dict[str, str]]) -> None:
    """The table ends with what to do next."""
    assert f"failed: ValueError: this trial raises ({found['2', 'raise']['directory']}" in text
    assert "failed: its worker process died 2 times" in text
    assert "again alone: python -m toy shape=small +sweep=grid steps=20 pause=0.05 rate=0.1" in text
    assert "look at it:  tensorboard --logdir outputs/grid" in text
    assert "(raylet)" not in text


def test_interrupted_sweep_shows_its_table_and_goes_on_later(tmp_path: Path) -> None:
    command = ["--multirun", "sweep.name=stop", "rate=0.01,0.02,0.03", "steps=60", "pause=0.05"]
    process = start(tmp_path, *command)
    folder = tmp_path / "outputs" / "stop"
    deadline = time.monotonic() + 60
    while not any(read_metrics(path)[5:] for path in folder.glob("*/metrics.csv")):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    stopped = end(process)
    assert stopped.returncode == 130, stopped.stderr
    assert "Traceback" not in stopped.stderr
    assert "look at it:" in stopped.stdout
    assert {row["status"] for row in rows(folder)} == {"interrupted"}

    assert toy(tmp_path, *command).returncode == 0
    for row in rows(folder):
        table = read_metrics(tmp_path / row["directory"] / "metrics.csv")
        assert [line["step"] for line in table] == list(range(1, 61))
        assert row["status"] == "finished"


def test_workers_are_reused_and_each_trial_gets_its_own_settings(tmp_path: Path) -> None:
    done = toy(tmp_path, "+sweep=grid", "rate=0.1,0.2,0.3,0.4", "steps=3", "sweep.retries=0")
    assert done.returncode == 0, done.stderr
    table = rows(tmp_path / "outputs" / "grid")
    assert len(table) == 8
    for row in table:
        expected = (1 - 2 * float(row["rate"])) ** 6
        assert float(row["loss"]) == pytest.approx(expected, rel=1e-9)
    facts = [read_json(tmp_path / row["directory"] / "provenance.json") or {} for row in table]
    assert len({fact["pid"] for fact in facts}) < len(table)
