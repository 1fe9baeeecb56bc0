"""Packs: a lane is what it would be beside any neighbours, and to rounding what it would be alone."""

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from lm import loop, pack, pack_trainer
from lm.checkpoint import Checkpoints
from lm.config import typed
from lm.data.tokens import load_tokens
from lm.trainer import Trainer
from sweeps.errors import UserError
from sweeps.run import OnReport, Run, Stop
from sweeps.store import Trial, read_trial
from sweeps.writer import read_metrics

Compose = Callable[..., dict[str, Any]]
Wanted = Callable[[float], Stop | None]
TIMINGS = {"wall_time", "words_per_second"}
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
DROPOUT = "model.dropout=0.2"


def train_pack(
    folder: Path,
    trials: Mapping[str, Mapping[str, Any]],
    on_report: Mapping[str, OnReport] | None = None,
    wanted: Mapping[str, Wanted] | None = None,
) -> dict[str, Trial]:
    """Trains trials, by name, in folders of these names."""
    with ExitStack() as stack:
        runs = []
        for name in trials:
            (folder / name).mkdir(exist_ok=True, parents=True)
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


@pytest.mark.parametrize("name", [name for name in LANES if name != "diverges"])
def test_lane_is_the_same_bit_for_bit_in_a_pack_of_its_own(
    whole: Path, tmp_path: Path, tiny: Compose, name: str
) -> None:
    trials = lanes(tiny, name)
    assert train_pack(tmp_path, trials)[name].status == "finished"
    assert_same(tmp_path / name, whole / name, trials[name])
    for folder in (tmp_path, whole):
        facts = json.loads((folder / name / "provenance.json").read_text())
        assert facts["lanes"] == (2 if folder == tmp_path else len(LANES))


OPTIONS = {
    "adam, full softmax": ("optimizer=adam", "loss.kind=softmax"),
    "rmsprop, sampled": ("optimizer=rmsprop", "loss.kind=sampled_softmax", "loss.samples=5"),
    "windows that slide": ("train.predict=last", "train.report_every=40", "train.epochs=1"),
    "two layers of gru": ("model.cell=gru", "model.layers=2", "loss.kind=nce", "loss.samples=4"),
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
def test_lane_does_not_depend_on_width_or_neighbours(
    tmp_path: Path, tiny: Compose, options: Sequence[str]
) -> None:
    names = ("plain", "seed", "scale")
    train_pack(tmp_path / "three", lanes(tiny, *names, options=options))
    train_pack(tmp_path / "two", lanes(tiny, "diverges", "seed", options=options))
    values = lanes(tiny, "seed", options=options)["seed"]
    assert_same(tmp_path / "three" / "seed", tmp_path / "two" / "seed", values)


@pytest.mark.parametrize("name", [name for name in LANES if name != "diverges"])
def test_lane_is_the_trial_alone_to_rounding(
    whole: Path, tmp_path: Path, tiny: Compose, name: str
) -> None:
    values = lanes(tiny, name)[name]
    alone = train_alone(tmp_path, values)
    packed = read_trial(whole / name)
    assert (packed.status, packed.step) == (alone.status, alone.step)
    pairs = zip(history(whole / name), history(tmp_path), strict=True)
    for one, other in pairs:
        assert one == pytest.approx(other, rel=ROUNDING)
    for a, b in zip(final_state(whole / name, values), final_state(tmp_path, values), strict=True):
        np.testing.assert_allclose(a, b, rtol=ROUNDING, atol=ROUNDING)


def test_diverging_lane_ends_as_it_does_alone_and_leaves_the_others(
    whole: Path, tmp_path: Path, tiny: Compose
) -> None:
    alone = train_alone(tmp_path, lanes(tiny, "diverges")["diverges"])
    packed = read_trial(whole / "diverges")
    assert packed.status == alone.status == "diverged"
    assert packed.step == alone.step < 7
    assert packed.error == alone.error
    assert [row["step"] for row in history(whole / "diverges")] == [packed.step]
    assert all(
        read_trial(whole / name).status == "finished" for name in LANES if name != "diverges"
    )


def test_lanes_report_at_their_own_steps_and_at_their_own_words_per_second(whole: Path) -> None:
    steps = {name: [row["step"] for row in history(whole / name)] for name in LANES}
    assert steps["plain"] == [7, 14, 21, 23, 30, 37, 44, 46]
    assert steps["short"] == [7, 14, 21, 23]
    assert steps["changes"] == [7, 10, 17, 23, 30, 37, 44, 46]
    for name in ("plain", "changes"):
        rows = read_metrics(whole / name / "metrics.csv")
        assert all(row["words_per_second"] > 0 for row in rows)
        assert ["test/perplexity" in row for row in rows] == [False] * 7 + [True]


def signalled_at(step: int) -> OnReport:
    def on_report(at: int, metrics: Mapping[str, float], total: int | None) -> None:
        if at == step:
            os.kill(os.getpid(), signal.SIGINT)

    return on_report


def test_interrupted_lanes_save_and_go_on_to_the_same_numbers(
    whole: Path, tmp_path: Path, tiny: Compose
) -> None:
    names = [name for name in LANES if name != "diverges"]
    trials = lanes(tiny, *names, options=("train.checkpoint_minutes=0",))
    with pytest.raises(KeyboardInterrupt):
        train_pack(tmp_path, trials, on_report={"plain": signalled_at(30)})
    for name in names:
        trial = read_trial(tmp_path / name)
        assert trial.status == ("finished" if name == "short" else "interrupted")
        if name != "short":
            assert trial.error is not None
            assert "stopped after step 30, which is saved" in trial.error
            assert (tmp_path / name / "checkpoints" / "30").is_dir()
    left = {name: trials[name] for name in names if name != "short"}
    train_pack(tmp_path, left)
    for name in names:
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
            found = train_pack(tmp_path, {name: trials[name]}, wanted={name: wanted})[name]
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
    found = train_pack(tmp_path, trials, on_report={"plain": look}, wanted={"seed": stop})
    assert (found["seed"].status, found["seed"].stopped_by, found["seed"].step) == (
        "stopped",
        "asha",
        7,
    )
    assert closed == ["running"] + ["stopped"] * 7
    assert_same(tmp_path / "plain", whole / "plain", trials["plain"])
    assert train_pack(tmp_path, {"seed": trials["seed"]})["seed"].status == "finished"
    assert_same(tmp_path / "seed", whole / "seed", trials["seed"])


def test_pack_goes_on_narrower_to_the_same_numbers(
    whole: Path, tmp_path: Path, tiny: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    widths: list[int] = []
    narrow = pack_trainer.PackTrainer.narrow

    def note(self: pack_trainer.PackTrainer, width: int) -> list[int]:
        widths.append(width)
        return narrow(self, width)

    def compile_for_nothing(self: pack_trainer.PackTrainer) -> None:
        self.compile_seconds = 0.0

    monkeypatch.setattr(pack_trainer.PackTrainer, "narrow", note)
    monkeypatch.setattr(pack_trainer.PackTrainer, "compile", compile_for_nothing)
    trials = lanes(tiny, "diverges", "plain", "short", "seed", "clip")
    others = {
        f"short{number}": tiny(DROPOUT, "train.epochs=1", f"seed={number}") for number in range(4)
    }
    train_pack(tmp_path, {**others, **trials})
    assert widths == [4]  # of nine, three go on after the first epoch
    for name in ("plain", "seed", "clip", "short"):
        assert_same(tmp_path / name, whole / name, trials[name])


def test_lanes_that_differ_in_numbers_compile_once(
    tmp_path: Path, tiny: Compose, caplog: pytest.LogCaptureFixture
) -> None:
    size = ("model.rnn_size=9",)
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        train_pack(tmp_path / "one", lanes(tiny, "plain", "rate", options=size))
        train_pack(tmp_path / "two", lanes(tiny, "clip", "scale", options=size))
        train_pack(tmp_path / "three", lanes(tiny, "seed", options=size))
    compiled = [record.getMessage() for record in caplog.records]
    for function in ("initialize", "train_lanes", "evaluate"):
        assert sum(f"Compiling jit({function})" in line for line in compiled) == 1, function


def test_report_of_an_epoch_goes_out_once_its_checkpoint_is_complete(
    tmp_path: Path, tiny: Compose
) -> None:
    there: dict[int, bool] = {}

    def look(step: int, metrics: Mapping[str, float], total: int | None) -> None:
        if "valid/perplexity" in metrics:
            there[step] = (tmp_path / "plain" / "checkpoints" / str(step)).is_dir()

    train_pack(tmp_path, lanes(tiny, "plain", "seed"), on_report={"plain": look})
    assert there == {23: True, 46: True}


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
    found = train_pack(tmp_path, lanes(tiny, "seed", "plain"))
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
