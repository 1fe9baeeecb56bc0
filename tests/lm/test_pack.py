"""Packs: a lane is the trial alone, beside any neighbours, and ends by itself."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from lm import loop, pack
from lm.checkpoint import Checkpoints
from lm.config import typed
from lm.data.tokens import load_tokens
from lm.together import Together
from lm.trainer import Trainer
from sweeps.errors import UserError
from sweeps.run import OnReport, Run, Stop
from sweeps.store import Trial, read_trial
from sweeps.writer import read_metrics

Compose = Callable[..., dict[str, Any]]
Wanted = Callable[[float], Stop | None]
TIMINGS = {"wall_time", "time/words_per_second"}
ROUNDING = 1e-4
"""Relative, between a lane and the same trial alone, after two epochs of updates."""
DIVERGES = ("optimizer.learning_rate=1e38", "train.clip_norm=null")
LANES: dict[str, Sequence[str]] = {
    "plain": (),
    "seed": ("seed=3", "model.dropout=0.1"),
    "rate": ("optimizer.learning_rate=0.2", "optimizer.hold_epochs=1", "optimizer.decay=0.5"),
    "clip": ("train.clip_norm=0.1", "optimizer.momentum=0.5", "model.embed_scale=0.3"),
    "scale": ("model.initializer.scale=2", "model.forget_bias=0", "model.dropout=0.4"),
    "short": ("train.epochs=1", "seed=4"),
    "changes": ("train.changes=[{step:10,optimizer.learning_rate:0.01}]",),
    "diverges": DIVERGES,
}
NAMES = [name for name in LANES if name != "diverges"]
DROPOUT = "model.dropout=0.2"


def train_pack(
    folder: Path,
    trials: Mapping[str, Mapping[str, Any]],
    on_report: Mapping[str, OnReport] | None = None,
    wanted: Mapping[str, Wanted] | None = None,
    width: int | None = None,
) -> dict[str, Trial]:
    """Trains trials, by name, in folders of these names; `width`: as if begun among so many."""
    with ExitStack() as stack:
        runs = []
        for name in trials:
            (folder / name).mkdir(exist_ok=True, parents=True)
            if width:
                (folder / name / "provenance.json").write_text(json.dumps({"lanes": width}))
            hooks: dict[str, Any] = {"on_report": (on_report or {}).get(name)}
            if name in (wanted or {}):
                hooks["wanted"] = wanted[name]
            run = Run(folder / name, metric="valid/perplexity", mode="min", **hooks)
            runs.append(stack.enter_context(run))
        pack.train(list(trials.values()), runs)
    return {name: read_trial(folder / name) for name in trials}


def train_alone(directory: Path, values: Mapping[str, Any]) -> Trial:
    directory.mkdir(exist_ok=True, parents=True)
    with Run(directory, metric="valid/perplexity", mode="min") as run:
        loop.train(values, run)
    return read_trial(directory)


def history(directory: Path) -> list[dict[str, float]]:
    rows = read_metrics(directory / "metrics.csv")
    return [{tag: row[tag] for tag in row if tag not in TIMINGS} for row in rows]


def final_state(directory: Path, values: Mapping[str, Any]) -> list[np.ndarray]:
    config = typed(values)
    like = jax.eval_shape(Trainer(config, load_tokens(config.data)).start)
    state = Checkpoints(directory / "checkpoints").restore(like)
    return [np.asarray(leaf) for leaf in jax.tree.leaves(state)]


def assert_same(one: Path, other: Path, values: Mapping[str, Any]) -> None:
    """Every reported bit, and every bit of the last checkpoint."""
    np.testing.assert_equal(history(one), history(other))  # NaN equals NaN
    pairs = zip(final_state(one, values), final_state(other, values), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)


def lanes(tiny: Compose, *names: str, options: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    return {name: tiny(DROPOUT, *options, *LANES[name]) for name in names}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, tiny: Compose) -> Path:
    """All lanes in one pack, uninterrupted."""
    folder = tmp_path_factory.mktemp("whole")
    train_pack(folder, lanes(tiny, *LANES))
    return folder


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, tiny: Compose) -> Path:
    """Each of them as a single run."""
    folder = tmp_path_factory.mktemp("alone")
    for name, values in lanes(tiny, *LANES).items():
        train_alone(folder / name, values)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_lane_is_the_trial_alone_to_rounding(
    whole: Path, alone: Path, tiny: Compose, name: str
) -> None:
    one, other = whole / name, alone / name
    assert read_trial(one).status == read_trial(other).status == "finished"
    for row, expected in zip(history(one), history(other), strict=True):
        assert row == pytest.approx(expected, rel=ROUNDING)
    values = lanes(tiny, name)[name]
    for a, b in zip(final_state(one, values), final_state(other, values), strict=True):
        np.testing.assert_allclose(a, b, rtol=ROUNDING, atol=ROUNDING)


@pytest.mark.parametrize("name", ["plain", "scale", "changes"])
def test_lane_is_the_same_in_any_place_beside_any_neighbours(
    whole: Path, tmp_path: Path, tiny: Compose, name: str
) -> None:
    trials = lanes(tiny, name)
    train_pack(tmp_path, trials, width=len(LANES))
    assert_same(tmp_path / name, whole / name, trials[name])
    for folder in (tmp_path, whole):
        facts = json.loads((folder / name / "provenance.json").read_text())
        assert facts["lanes"] == len(LANES)


OPTIONS = {
    "rows that lag behind": (
        "loss.kind=sampled_softmax",
        "loss.samples=5",
        "train.changes=[{step:10,optimizer.learning_rate:0.2}]",
    ),
    "adam, full softmax": ("optimizer=adam", "loss.kind=softmax"),
    "rmsprop, sampled": ("optimizer=rmsprop", "loss.kind=sampled_softmax", "loss.samples=5"),
    "windows that slide": ("train.predict=last", "train.report_every=40", "train.epochs=1"),
    "two layers of gru": ("model.cell=gru", "model.layers=2", "loss.kind=nce", "loss.samples=4"),
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
def test_lane_does_not_depend_on_its_neighbours_whatever_the_model(
    tmp_path: Path, tiny: Compose, options: Sequence[str]
) -> None:
    for folder, names in (("one", ("seed", "scale")), ("other", ("diverges", "seed"))):
        train_pack(tmp_path / folder, lanes(tiny, *names, options=options))
    values = lanes(tiny, "seed", options=options)["seed"]
    assert_same(tmp_path / "one" / "seed", tmp_path / "other" / "seed", values)
    train_alone(tmp_path / "alone", values)
    rows = zip(history(tmp_path / "one" / "seed"), history(tmp_path / "alone"), strict=True)
    for row, expected in rows:
        assert row == pytest.approx(expected, rel=ROUNDING)


def test_diverging_lane_ends_as_it_does_alone_and_leaves_the_others(
    whole: Path, alone: Path
) -> None:
    packed, single = (read_trial(folder / "diverges") for folder in (whole, alone))
    assert packed.status == single.status == "diverged"
    assert packed.step == single.step < 7
    assert packed.error == single.error
    assert [row["step"] for row in history(whole / "diverges")] == [packed.step]
    assert all(read_trial(whole / name).status == "finished" for name in NAMES)


def test_lanes_report_at_their_own_steps(whole: Path) -> None:
    folder = whole
    steps = {name: [row["step"] for row in history(folder / name)] for name in LANES}
    assert steps["plain"] == [7, 14, 21, 23, 30, 37, 44, 46]
    assert steps["short"] == [7, 14, 21, 23]
    assert steps["changes"] == [7, 10, 17, 23, 30, 37, 44, 46]
    for name in ("plain", "changes"):
        rows = read_metrics(folder / name / "metrics.csv")
        assert all(row["time/words_per_second"] > 0 for row in rows)
        assert ["test/perplexity" in row for row in rows] == [False] * 7 + [True]


def signalled_at(step: int) -> OnReport:
    def on_report(at: int, metrics: Mapping[str, float], total: int | None) -> None:
        if at == step:
            os.kill(os.getpid(), signal.SIGINT)

    return on_report


def test_interrupted_lanes_save_and_go_on_to_the_same_numbers(
    whole: Path, tmp_path: Path, tiny: Compose
) -> None:
    trials = lanes(tiny, *LANES, options=("train.checkpoint_minutes=0",))
    with pytest.raises(KeyboardInterrupt):
        train_pack(tmp_path, trials, on_report={"plain": signalled_at(30)})
    for name in NAMES:
        trial = read_trial(tmp_path / name)
        assert trial.status == ("finished" if name == "short" else "interrupted")
        if name != "short":
            assert trial.error is not None
            assert "stopped after step 30, which is saved" in trial.error
            assert (tmp_path / name / "checkpoints" / "30").is_dir()
    left = {name: trials[name] for name in NAMES if name != "short"}
    train_pack(tmp_path, left)
    for name in NAMES:
        assert_same(tmp_path / name, whole / name, trials[name])


def test_lanes_resumed_at_different_steps_equal_uninterrupted_ones(
    whole: Path, tmp_path: Path, tiny: Compose
) -> None:
    """Each stopped at another report, and one not begun: the calls are cut at all their reports."""
    stops = {"plain": 10, "seed": 23, "clip": 37, "rate": 0, "changes": 17}
    trials = lanes(tiny, *stops)
    for name, step in stops.items():

        def wanted(seconds: float, name: str = name, step: int = step) -> Stop | None:
            reached = read_metrics(tmp_path / name / "metrics.csv")[-1]["step"] >= step
            return Stop("stopped", "time") if reached else None

        if step:
            hooks: dict[str, Any] = {"wanted": {name: wanted}}
            found = train_pack(tmp_path, {name: trials[name]}, **hooks, width=len(LANES))[name]
            assert found.status == "stopped"
    reached = [read_trial(tmp_path / name).step for name in stops]
    assert reached == [14, 23, 37, 0, 17]
    train_pack(tmp_path, trials)
    for name in stops:
        assert read_trial(tmp_path / name).status == "finished"
        assert_same(tmp_path / name, whole / name, trials[name])


def test_stopped_lane_is_closed_saved_and_left_behind(
    whole: Path, tmp_path: Path, tiny: Compose
) -> None:
    def stop(seconds: float) -> Stop:
        return Stop("stopped", "asha", "too slow")

    closed: list[str] = []

    def look(step: int, metrics: Mapping[str, float], total: int | None) -> None:
        closed.append(read_trial(tmp_path / "seed").status)

    trials = lanes(tiny, "plain", "seed")
    hooks: dict[str, Any] = {"width": len(LANES)}
    found = train_pack(tmp_path, trials, {"plain": look}, {"seed": stop}, **hooks)
    assert (found["seed"].status, found["seed"].stopped_by, found["seed"].step) == (
        "stopped",
        "asha",
        7,
    )
    assert closed == ["running"] + ["stopped"] * 7
    assert_same(tmp_path / "plain", whole / "plain", trials["plain"])
    again = train_pack(tmp_path, {"seed": trials["seed"]})
    assert again["seed"].status == "finished"
    assert_same(tmp_path / "seed", whole / "seed", trials["seed"])


def test_lanes_that_differ_in_numbers_compile_once(
    tmp_path: Path, tiny: Compose, caplog: pytest.LogCaptureFixture
) -> None:
    packs = (("plain", "rate"), ("clip", "scale"), ("seed",))
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        for names in packs:
            trials = lanes(tiny, *names, options=("model.rnn_size=9",))
            train_pack(tmp_path / names[0], trials)
    compiled = [record.getMessage() for record in caplog.records]
    for function in ("initialize", "train_lanes", "evaluate"):
        assert sum(f"Compiling jit({function})" in line for line in compiled) == 1, function


def test_training_goes_on_while_checkpoints_are_written_and_reports_wait_for_them(
    tmp_path: Path, tiny: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained_on, there = threading.Event(), dict[int, bool]()
    save, advance = Checkpoints.save, Together.advance

    def save_late(self: Checkpoints, state: Any) -> None:
        assert trained_on.wait(60) or int(state.step) == 46  # after which there is nothing to train
        save(self, state)

    def advance_and_tell(self: Together) -> Any:
        parts = advance(self)
        if parts[0].metrics["time/epoch"] > 1:
            trained_on.set()
        return parts

    def look(step: int, metrics: Mapping[str, float], total: int | None) -> None:
        if "valid/perplexity" in metrics:
            there[step] = (tmp_path / "plain" / "checkpoints" / str(step)).is_dir()

    monkeypatch.setattr(Checkpoints, "save", save_late)
    monkeypatch.setattr(Together, "advance", advance_and_tell)
    train_pack(tmp_path, lanes(tiny, "plain", "seed"), {"plain": look})
    assert there == {23: True, 46: True}


def test_pack_that_dies_goes_on_from_its_last_checkpoints(
    whole: Path, tmp_path: Path, tiny: Compose
) -> None:
    def die(step: int, metrics: Mapping[str, float], total: int | None) -> None:
        if step == 37:
            raise RuntimeError("gone")

    trials = lanes(tiny, "plain", "seed")
    with pytest.raises(RuntimeError, match="gone"):
        train_pack(tmp_path, trials, {"seed": die}, width=len(LANES))
    assert [path.name for path in (tmp_path / "plain" / "checkpoints").glob("[0-9]*")] == ["23"]
    (tmp_path / "plain" / "provenance.json").unlink()  # its width is with its checkpoints, too
    train_pack(tmp_path, trials)
    for name in trials:
        assert_same(tmp_path / name, whole / name, trials[name])


def test_pack_that_ran_out_of_memory_may_go_on_in_fewer_places(
    tmp_path: Path, tiny: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_out(self: Together) -> Any:
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: out of memory")

    trials = lanes(tiny, "plain", "seed", "short")
    with monkeypatch.context() as patch:
        patch.setattr(Together, "advance", run_out)
        with pytest.raises(jax.errors.JaxRuntimeError):
            train_pack(tmp_path, trials)
    (tmp_path / "short" / "provenance.json").unlink()  # as the driver writes it anew
    assert train_pack(tmp_path, lanes(tiny, "short"))["short"].status == "finished"
    assert json.loads((tmp_path / "short" / "provenance.json").read_text())["lanes"] == 2


def test_disk_that_is_full_ends_the_pack_with_one_sentence(
    tmp_path: Path, tiny: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Checkpoints, state: Any) -> None:
        raise UserError("cannot write a checkpoint; free some space.")

    monkeypatch.setattr(Checkpoints, "save", fail)
    with pytest.raises(UserError, match="free some space"):
        train_pack(tmp_path, lanes(tiny, "plain", "seed"))
    assert read_trial(tmp_path / "plain").status == "failed"
    assert read_trial(tmp_path / "plain").step == 23


def test_damaged_checkpoints_end_their_lane_alone(
    whole: Path, tmp_path: Path, tiny: Compose
) -> None:
    damaged = tmp_path / "seed" / "checkpoints" / "7"
    damaged.mkdir(parents=True)
    found = train_pack(tmp_path, lanes(tiny, "seed", "plain"), width=len(LANES))
    assert (found["seed"].status, found["plain"].status) == ("failed", "finished")
    assert "can be read" in str(found["seed"].error)
    assert_same(tmp_path / "plain", whole / "plain", lanes(tiny, "plain")["plain"])


def test_trials_of_other_shapes_are_refused(tmp_path: Path, tiny: Compose) -> None:
    with pytest.raises(UserError, match="cannot train together"):
        train_pack(tmp_path, {"a": tiny(), "b": tiny("model.rnn_size=8")})


def test_pack_needs_no_ray() -> None:
    program = "import lm.pack, sys; print('ray' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
