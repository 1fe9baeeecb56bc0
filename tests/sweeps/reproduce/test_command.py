"""A trial of the toy program is run again in a process of its own, and compared."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sweeps.config import Application
from sweeps.io.atomic import read_json
from sweeps.reproduce.command import main
from sweeps.store.fingerprint import fingerprint
from sweeps.store.metrics import read_metrics
from sweeps.store.provenance import Provenance
from sweeps.store.result import correct_result
from sweeps.store.status import TrialStatus
from sweeps.store.sweep import Sweep, write_sweep
from sweeps.store.trial import TrialSpec, read_trial, update_trial, write_trial
from sweeps.tracking import Run

HELPERS = Path(__file__).parents[1] / "helpers"
CONFIG = {
    "rate": 0.1,
    "steps": 6,
    "pause": 0.0,
    "fault": "none",
    "sweep": {"metric": "loss", "mode": "min"},
}
APPLICATION = Application(
    objective="toy.descend", identify="toy.identify", environment="toy.environment"
)
FACTS = {"packages": {}, "cpus": 1, "environment": {"TOY_SHARE": "1:0", "TOY_KEPT": "yes"}}


Reproduce = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def reproduce(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Reproduce:
    """The command, within this process: what it runs again has one of its own."""
    monkeypatch.syspath_prepend(HELPERS)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))

    def run(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.chdir(directory.parents[2])
        try:
            status: Any = main(APPLICATION, [str(directory), *arguments])
        except SystemExit as end:
            status = end.code
        return subprocess.CompletedProcess(arguments, status, *capfd.readouterr())

    return run


def trained(root: Path, stop: int = 0, **changes: Any) -> Path:
    """A trial of the toy program; `stop` is the step after which it is interrupted."""
    import toy

    config = {**CONFIG, **changes}
    directory = root / "outputs" / "grid" / "rate=0.1"
    spec = TrialSpec(
        config=config,
        overrides=("rate=0.1",),
        settings={"rate": "0.1"},
        fingerprint=fingerprint(toy.identify(config)),
        train_command="toy",
    )
    write_trial(directory, spec, Provenance(FACTS, ""))

    def on_report(step: int, metrics: Any, total: Any) -> None:
        if step == stop:
            raise KeyboardInterrupt

    try:
        with Run(directory, metric="loss", mode="min", on_report=on_report) as run:
            toy.descend(config, run)
    except (KeyboardInterrupt, ValueError):
        pass
    return directory


def contents(directory: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def tamper(directory: Path, step: int, **values: float) -> None:
    path = directory / "metrics.csv"
    rows = read_metrics(path)
    tags = list(rows[0])
    lines = [{**row, **values} if row["step"] == step else row for row in rows]
    text = "".join(",".join(repr(row[tag]) for tag in tags) + "\n" for row in lines)
    path.write_text(",".join(tags) + "\n" + text)


def test_same_trial_is_identical_and_lies_in_a_folder_of_its_own(
    tmp_path: Path, reproduce: Reproduce
) -> None:
    directory = trained(tmp_path)
    before = contents(directory)
    done = reproduce(directory)
    assert done.returncode == 0, done.stderr
    assert "\nidentical: 6 steps, 12 values\n" in done.stdout
    assert contents(directory) == before
    place = tmp_path / "outputs" / "reproduced" / "grid" / "rate=0.1"
    assert read_trial(place).status == "finished"
    assert read_trial(place).fingerprint == read_trial(directory).fingerprint
    facts = read_json(place / "provenance.json") or {}
    assert facts["share"] == "1:0"
    assert facts["reproduces"] == str(directory)
    assert facts["pid"] != os.getpid()

    again = reproduce(directory)
    assert again.returncode == 0
    assert "An earlier reproduction is now" in again.stdout
    assert len(list(place.parent.iterdir())) == 2


def test_other_numbers_are_told_with_step_metric_and_size(
    tmp_path: Path, reproduce: Reproduce
) -> None:
    directory = trained(tmp_path)
    x = read_metrics(directory / "metrics.csv")[2]["train/x"]
    tamper(directory, 3, **{"train/x": x * (1 + 1e-6)})
    tamper(directory, 5, loss=7.0)
    done = reproduce(directory)
    assert done.returncode == 1
    first = (
        rf"different: first at step 3, train/x: {x * (1 + 1e-6)!r}, now {x!r}; .* 1e-06 relative"
    )
    assert re.search(first, done.stdout)
    assert "largest difference: step 5, loss: 7.0, now" in done.stdout


def test_other_threads_are_compared_within_a_tolerance_that_is_explained(
    tmp_path: Path, reproduce: Reproduce
) -> None:
    directory = trained(tmp_path)
    x = read_metrics(directory / "metrics.csv")[2]["train/x"]
    tamper(directory, 3, **{"train/x": x * (1 + 1e-6)})
    done = reproduce(directory, "--cpus", "2", "--output", str(tmp_path / "elsewhere"))
    assert done.returncode == 0, done.stdout + done.stderr
    reason = "because it ran on 1 thread and now on 2 threads"
    assert f"compared within 0.0001, {reason}" in done.stdout
    assert "\nwithin 0.0001: 6 steps, 12 values\n" in done.stdout
    facts = read_json(tmp_path / "elsewhere" / "grid" / "rate=0.1" / "provenance.json") or {}
    assert facts["share"] == "2:0"
    assert facts["environment"]["TOY_KEPT"] == "yes"
    strict = reproduce(directory, "--cpus", "2", "--tolerance", "1e-9")
    assert strict.returncode == 1


@pytest.mark.parametrize(
    ("changes", "stop", "status", "words"),
    [
        ({"steps": 50}, 4, "interrupted", "identical: 4 steps, 8 values, up to step 4"),
        ({"fault": "raise"}, 0, "failed", "identical: 2 steps, 4 values, up to step 2"),
        ({"rate": 2.0, "steps": 90}, 0, "diverged", "identical: 7 steps, 14 values"),
    ],
)
def test_unfinished_trial_is_compared_as_far_as_it_came(
    tmp_path: Path,
    reproduce: Reproduce,
    changes: dict[str, Any],
    stop: int,
    status: str,
    words: str,
) -> None:
    directory = trained(tmp_path, stop, **changes)
    assert read_trial(directory).status == status
    done = reproduce(directory)
    assert words in done.stdout, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == 0


def test_another_end_is_a_difference(tmp_path: Path, reproduce: Reproduce) -> None:
    directory = trained(tmp_path)
    correct_result(directory, status=TrialStatus.DIVERGED)
    done = reproduce(directory)
    assert done.returncode == 1
    assert "different: it diverged at step 6, and now finished at step 6" in done.stdout


def test_other_options_or_data_stop_it_before_it_runs(tmp_path: Path, reproduce: Reproduce) -> None:
    directory = trained(tmp_path)
    write_sweep(Sweep(folder=directory.parent, common_config={"steps": 9, "pause": 0.0}))
    update_trial(directory, fingerprint="f" * 64)
    done = reproduce(directory)
    assert done.returncode == 1
    assert "its fingerprint was ffffffffffff and is" in done.stderr
    assert "they differ in steps; restore" in done.stderr
    assert not (tmp_path / "outputs" / "reproduced").exists()
    assert "identical: 6 steps" in reproduce(directory, "--force").stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--cpus", "0"], "--cpus 0 is out of range"),
        (["--tolerance", "-1"], "--tolerance -1.0 is out of range"),
        (["--output", "outputs"], "--output outputs is where the trial itself lies"),
    ],
)
def test_bad_arguments_are_one_sentence(
    tmp_path: Path, reproduce: Reproduce, arguments: list[str], sentence: str
) -> None:
    done = reproduce(trained(tmp_path), *arguments)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_folder_without_a_trial_or_without_metrics_is_one_sentence(
    tmp_path: Path, reproduce: Reproduce
) -> None:
    directory = trained(tmp_path)
    (directory / "metrics.csv").unlink()
    done = reproduce(directory)
    assert (done.returncode, done.stdout) == (1, "")
    assert "has no metrics, its status is finished: there is nothing to compare" in done.stderr
    (directory / "trial.json").unlink()
    assert "holds no trial; name a trial's folder" in reproduce(directory).stderr
