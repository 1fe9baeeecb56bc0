"""Lanes of a pack end one by one, each saved and resumed by itself; so does what goes wrong."""

import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import pytest

from lm.training.checkpoint import CheckpointManager
from lm.training.lanes import VmappedEngine
from sweeps.errors import UserError
from sweeps.store.metrics import read_metrics
from sweeps.store.status import TrialStatus
from sweeps.store.trial import read_trial
from sweeps.tracking import Stop
from tests.lm.helpers.packs import LANES, NAMES, lanes, train_pack
from tests.lm.helpers.training import assert_same, signalled_at

Compose = Callable[..., dict[str, Any]]


def test_interrupted_lanes_save_and_go_on_to_the_same_numbers(
    whole_pack: Path, tmp_path: Path, tiny: Compose
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
        assert_same(tmp_path / name, whole_pack / name, trials[name])


def test_lanes_resumed_at_different_steps_equal_uninterrupted_ones(
    whole_pack: Path, tmp_path: Path, tiny: Compose
) -> None:
    """Each stopped at another report, and one not begun: the calls are cut at all their reports."""
    stops = {"plain": 10, "seed": 23, "clip": 37, "rate": 0, "changes": 17}
    trials = lanes(tiny, *stops)
    for name, step in stops.items():

        def stop_signal(seconds: float, name: str = name, step: int = step) -> Stop | None:
            reached = read_metrics(tmp_path / name / "metrics.csv")[-1]["step"] >= step
            return Stop(status=TrialStatus.STOPPED, stopped_by="time") if reached else None

        if step:
            hooks: dict[str, Any] = {"stop_signal": {name: stop_signal}}
            found = train_pack(tmp_path, {name: trials[name]}, **hooks, width=len(LANES))[name]
            assert found.status == "stopped"
    reached = [read_trial(tmp_path / name).step for name in stops]
    assert reached == [14, 23, 37, 0, 17]
    train_pack(tmp_path, trials)
    for name in stops:
        assert read_trial(tmp_path / name).status == "finished"
        assert_same(tmp_path / name, whole_pack / name, trials[name])


def test_stopped_lane_is_closed_saved_and_left_behind(
    whole_pack: Path, tmp_path: Path, tiny: Compose
) -> None:
    def stop(seconds: float) -> Stop:
        return Stop(status=TrialStatus.STOPPED, stopped_by="asha", reason="too slow")

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
    assert_same(tmp_path / "plain", whole_pack / "plain", trials["plain"])
    again = train_pack(tmp_path, {"seed": trials["seed"]})
    assert again["seed"].status == "finished"
    assert_same(tmp_path / "seed", whole_pack / "seed", trials["seed"])


def test_training_goes_on_while_checkpoints_are_written_and_reports_wait_for_them(
    tmp_path: Path, tiny: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained_on, there = threading.Event(), dict[int, bool]()
    save, advance = CheckpointManager.save, VmappedEngine.advance

    def save_late(self: CheckpointManager, checkpoint: Any) -> None:
        # After step 46 there is nothing to train.
        assert trained_on.wait(60) or int(checkpoint.state.step) == 46
        save(self, checkpoint)

    def advance_and_tell(self: VmappedEngine) -> Any:
        reports = advance(self)
        if any(report.metrics["time/epoch"] > 1 for report in reports.values()):
            trained_on.set()
        return reports

    def look(step: int, metrics: Mapping[str, float], total: int | None) -> None:
        if "valid/perplexity" in metrics:
            there[step] = (tmp_path / "plain" / "checkpoints" / str(step)).is_dir()

    monkeypatch.setattr(CheckpointManager, "save", save_late)
    monkeypatch.setattr(VmappedEngine, "advance", advance_and_tell)
    train_pack(tmp_path, lanes(tiny, "plain", "seed"), {"plain": look}, width=len(LANES))
    assert there == {23: True, 46: True}


def test_pack_that_dies_goes_on_from_its_last_checkpoints(
    whole_pack: Path, tmp_path: Path, tiny: Compose
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
        assert_same(tmp_path / name, whole_pack / name, trials[name])


def test_pack_that_ran_out_of_memory_may_go_on_in_fewer_places(
    tmp_path: Path, tiny: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_out(self: VmappedEngine) -> Any:
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: out of memory")

    trials = lanes(tiny, "plain", "seed", "short")
    with monkeypatch.context() as patch:
        patch.setattr(VmappedEngine, "advance", run_out)
        with pytest.raises(jax.errors.JaxRuntimeError):
            train_pack(tmp_path, trials, width=len(LANES))
    (tmp_path / "short" / "provenance.json").unlink()  # as the driver writes it anew
    assert train_pack(tmp_path, lanes(tiny, "short"))["short"].status == "finished"
    assert json.loads((tmp_path / "short" / "provenance.json").read_text())["lanes"] == 2


def test_disk_that_is_full_ends_the_pack_with_one_sentence(
    tmp_path: Path, tiny: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: CheckpointManager, state: Any) -> None:
        raise UserError("cannot write a checkpoint; free some space.")

    monkeypatch.setattr(CheckpointManager, "save", fail)
    with pytest.raises(UserError, match="free some space"):
        train_pack(tmp_path, lanes(tiny, "plain", "seed"), width=len(LANES))
    assert read_trial(tmp_path / "plain").status == "failed"
    assert read_trial(tmp_path / "plain").step == 23


def test_damaged_checkpoints_end_their_lane_alone(
    whole_pack: Path, tmp_path: Path, tiny: Compose
) -> None:
    damaged = tmp_path / "seed" / "checkpoints" / "7"
    damaged.mkdir(parents=True)
    found = train_pack(tmp_path, lanes(tiny, "seed", "plain"), width=len(LANES))
    assert (found["seed"].status, found["plain"].status) == ("failed", "finished")
    assert "can be read" in str(found["seed"].error)
    assert_same(tmp_path / "plain", whole_pack / "plain", lanes(tiny, "plain")["plain"])
