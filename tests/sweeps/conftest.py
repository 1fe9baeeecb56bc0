"""Sweeps of the toy program, run as a user runs them; and made-up trees of trials."""

import csv
import logging
import math
import os
import runpy
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from sweeps.naming import label, short_keys, trial_name
from sweeps.store.fingerprint import fingerprint
from sweeps.store.metrics import read_metrics
from sweeps.store.provenance import Provenance
from sweeps.store.sweep import Sweep, write_sweep
from sweeps.store.trial import TrialSpec, write_trial
from sweeps.tracking import Diverged, Run
from tests.sweeps.helpers.ray_process import ray_process

ROOT = Path(__file__).parents[2]
SOURCES = os.pathsep.join([str(ROOT / "tests/sweeps/helpers"), str(ROOT)])
SECONDS = 150


class Toy:
    """Commands of the toy program in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ray: str | None = None
        """Address of a Ray session to join; None: each sweep starts one of its own."""
        self.outputs = folder / "outputs"
        self.cache = folder / "cache"

    def environment(self) -> dict[str, str]:
        environment = {**os.environ, "PYTHONPATH": SOURCES, "XDG_CACHE_HOME": str(self.cache)}
        environment.pop("RAY_ADDRESS", None)
        return environment | ({"RAY_ADDRESS": self.ray} if self.ray else {})

    def start(self, *arguments: str, new_session: bool = False) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "toy", *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment(),
            text=True,
            stdout=pipe,
            stderr=pipe,
            start_new_session=new_session,
        )

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.end(self.start(*arguments))

    def end(self, process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
        with process:
            try:
                out, err = process.communicate(timeout=SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
            return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def signal_midway(
        self, number: signal.Signals, name: str, *arguments: str
    ) -> subprocess.CompletedProcess[str]:
        """Start a sweep, and send a signal to it once a trial has made some steps."""
        process = self.start(*arguments, f"sweep.name={name}")
        self.wait(lambda: any(len(self.table(t)) > 5 for t in (self.outputs / name).glob("*,id=*")))
        process.send_signal(number)
        return self.end(process)

    def wait(self, until: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not until():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def rows(self, name: str) -> list[dict[str, str]]:
        with (self.outputs / name / "results.csv").open(newline="") as file:
            return list(csv.DictReader(file))

    def table(self, directory: str | Path) -> list[tuple[int, float]]:
        """Step and loss of each report of a trial."""
        rows = read_metrics(self.folder / directory / "metrics.csv")
        return [(int(row["step"]), row["loss"]) for row in rows]

    def tables(self, name: str) -> dict[str, list[tuple[int, float]]]:
        """All reports of all trials of a sweep, by the rate."""
        return {row["rate"]: self.table(row["directory"]) for row in self.rows(name)}


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    return Toy(tmp_path)


@pytest.fixture
def toy_here(
    toy: Toy, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """Runs a command of the toy in this process, which takes a third of the time.

    It is for commands that end before Ray starts.
    """
    # It closes the handlers of all loggers, and absl's closes the stream that pytest writes to.
    for place in ("hydra.core.utils", "hydra._internal.hydra"):
        monkeypatch.setattr(f"{place}.configure_log", lambda *given: None)
    monkeypatch.setattr("sweeps.tune.session.start_local", lambda *given: pytest.fail("starts Ray"))
    root = logging.getLogger()
    before = root.handlers[:], root.level

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        capfd.readouterr()
        with monkeypatch.context() as patch:
            patch.syspath_prepend(ROOT / "tests/sweeps/helpers")
            patch.chdir(toy.folder)
            patch.setenv("XDG_CACHE_HOME", str(toy.cache))
            patch.setattr(sys, "argv", ["toy", *arguments])
            try:
                runpy.run_module("toy", run_name="__main__", alter_sys=True)
                status = 0
            except SystemExit as end:
                status = int(end.code or 0)
        return subprocess.CompletedProcess(["toy", *arguments], status, *capfd.readouterr())

    yield run
    root.handlers[:], level = before  # Hydra sets them
    root.setLevel(level)


@pytest.fixture(scope="session")
def ray_session() -> Iterator[str]:
    """The address of a Ray session; to start one takes longer than most sweeps of these tests."""
    with ray_process() as (address, _):
        yield address


@pytest.fixture
def joined(toy: Toy, ray_session: str) -> None:
    """Let the sweeps of a test run in the session that is there."""
    toy.ray = ray_session


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Any]:
    """What TensorBoard shows of a folder: see `helpers/tensorboard_reader.py`."""
    monkeypatch.syspath_prepend(ROOT / "tests/sweeps/helpers")
    with warnings.catch_warnings(action="ignore"):  # TensorBoard brings an old HTML library
        from tensorboard_reader import Board

    return Board


Curve = Callable[[Mapping[str, Any], int], float]
Ends = Callable[[Mapping[str, Any]], str]
MakeSweep = Callable[..., Path]


@pytest.fixture
def make_sweep(tmp_path: Path) -> MakeSweep:
    """Writes `<tmp_path>/<name>` with one trial a setting; gives the folder."""

    def make(
        settings: Sequence[Mapping[str, Any]],
        curve: Curve,
        *,
        name: str = "grid",
        steps: Sequence[int] = (10, 20, 30),
        ends: Ends = lambda setting: "finished",
        metric: str = "valid/loss",
        mode: str = "min",
        replicate: str | None = None,
        common_config: Mapping[str, Any] | None = None,
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        axes = list(dict.fromkeys(key for setting in settings for key in setting))
        for setting in settings:
            directory = _write(folder, setting, name)
            status = ends(setting)
            if status != "waiting":
                with (
                    suppress(SystemExit, RuntimeError),
                    Run(directory, metric=metric, mode=mode) as r,
                ):
                    for step in steps:
                        value = curve(setting, step)
                        r.report(step, {metric: value, "train/loss": value / 2}, steps[-1])
                    _end(status, steps[-1])
        sweep = Sweep(
            folder=folder,
            axes=tuple(axes),
            metric=metric,
            mode=mode,
            replicate=replicate,
            common_config=dict(common_config or {}),
        )
        write_sweep(sweep)
        return folder

    return make


def _write(folder: Path, setting: Mapping[str, Any], name: str) -> Path:
    labels = {key: label(value) for key, value in setting.items()}
    overrides = tuple(f"{key}={text}" for key, text in labels.items())
    identity = fingerprint({**setting, "of": name})
    pairs = dict(zip(short_keys(list(labels)), labels.values(), strict=True))
    spec = TrialSpec(
        config=dict(setting),
        overrides=overrides,
        settings=labels,
        fingerprint=identity,
        train_command=f"python -m app.train {' '.join(overrides)}",
    )
    directory = folder / trial_name(pairs, identity)
    write_trial(directory, spec, Provenance({"git": {"commit": None}}, ""))
    return directory


def _end(status: str, step: int) -> None:
    """Leave a run as a trial of this status does."""
    if status == "diverged":
        raise Diverged(step)
    if status == "stopped":
        raise SystemExit(0)
    if status == "failed":
        raise RuntimeError("out of luck")
    assert status == "finished"


@pytest.fixture
def grid(make_sweep: MakeSweep) -> Path:
    """Rate x kind x seed, 12 trials; loss = 10 * rate + 1 / step, more at another seed."""

    def curve(setting: Mapping[str, Any], step: int) -> float:
        if setting["rate"] == 0.5 and setting["kind"] == "b" and setting["seed"] == 1:
            return math.nan if step == 30 else 0.001  # the best of all, had it not diverged
        return 10 * setting["rate"] + 1 / step + setting["seed"] / 100

    def ends(setting: Mapping[str, Any]) -> str:
        if setting["rate"] == 0.5 and setting["kind"] == "b":
            return {0: "failed", 1: "diverged"}[setting["seed"]]
        return "finished"

    settings = [
        {"rate": rate, "kind": kind, "seed": seed}
        for rate in (0.01, 0.1, 0.5)
        for kind in ("a", "b")
        for seed in (0, 1)
    ]
    return make_sweep(settings, curve, ends=ends, replicate="seed")
