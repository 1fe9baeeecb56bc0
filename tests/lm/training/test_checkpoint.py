"""Checkpoints come back bit by bit, the newest readable one counts, and old ones go."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lm.config import Config, parse_config
from lm.model.initializers import init_scales
from lm.optim.optimizer import zero_hyperparameters
from lm.training.checkpoint import FILE, Checkpoint, CheckpointManager
from lm.training.functions import build_functions, make_static_config
from lm.training.state import TrainState
from sweeps.errors import UserError

Compose = Callable[..., dict[str, Any]]
HYPERPARAMS = zero_hyperparameters()._replace(learning_rate=jnp.float32(0.25))


def start(config: Config) -> TrainState:
    program = build_functions(make_static_config(config, 20))
    return program.initialize(jax.random.key(0), init_scales(config.model))


@pytest.fixture(scope="module")
def state(tiny: Compose) -> TrainState:
    fresh = start(parse_config(tiny("optimizer=adam", "model.layers=2")))
    return jax.tree.map(lambda leaf: leaf + 1, fresh)


def at(state: TrainState, step: int) -> TrainState:
    """The state with this step, and its number in the weights."""
    bias = state.params["output"]["bias"] * 0 + step
    params = {**state.params, "output": {**state.params["output"], "bias": bias}}
    return state._replace(params=params, step=jnp.int32(step))


def save(folder: Path, state: TrainState) -> None:
    CheckpointManager(folder).save(Checkpoint(state=state, hyperparams=HYPERPARAMS))


def like(state: TrainState) -> TrainState:
    return jax.eval_shape(lambda: state)


def test_state_comes_back_bit_by_bit(tmp_path: Path, state: TrainState) -> None:
    checkpoints = CheckpointManager(tmp_path / "c")
    save(tmp_path / "c", at(state, 5))
    checkpoints = CheckpointManager(tmp_path / "c")
    restored = checkpoints.restore(like(state))
    assert jax.tree.structure(restored) == jax.tree.structure(state)
    for one, other in zip(jax.tree.leaves(restored), jax.tree.leaves(at(state, 5)), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def test_there_is_none_before_the_first(tmp_path: Path, state: TrainState) -> None:
    checkpoints = CheckpointManager(tmp_path / "c")
    assert checkpoints.restore(like(state)) is None


def test_newest_two_are_kept_and_the_newest_is_restored(tmp_path: Path, state: TrainState) -> None:
    checkpoints = CheckpointManager(tmp_path / "c")
    for step in (9, 10, 100):
        save(tmp_path / "c", at(state, step))
    restored = checkpoints.restore(like(state))
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == ["10", "100"]
    assert restored is not None
    assert int(restored.step) == 100
    assert float(restored.params["output"]["bias"][0]) == 100


def test_damaged_one_is_left_out_and_its_step_can_be_saved_again(
    tmp_path: Path, state: TrainState
) -> None:
    checkpoints = CheckpointManager(tmp_path / "c")
    for step in (1, 2):
        save(tmp_path / "c", at(state, step))
    for path in (tmp_path / "c" / "2").rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    checkpoints = CheckpointManager(tmp_path / "c")
    restored = checkpoints.restore(like(state))
    assert restored is not None
    assert int(restored.step) == 1
    save(tmp_path / "c", at(state, 2))
    checkpoints = CheckpointManager(tmp_path / "c")
    restored = checkpoints.restore(like(state))
    assert restored is not None
    assert int(restored.step) == 2


def test_state_of_another_model_is_not_read(tmp_path: Path, tiny: Compose) -> None:
    states = [start(parse_config(tiny(f"model.rnn_size={size}"))) for size in (7, 8)]
    save(tmp_path, states[0])
    with pytest.raises(UserError, match="can be read"):
        CheckpointManager(tmp_path).restore(like(states[1]))


def test_half_written_one_of_a_killed_process_is_no_checkpoint(
    tmp_path: Path, state: TrainState
) -> None:
    checkpoints = CheckpointManager(tmp_path / "c")
    save(tmp_path / "c", at(state, 1))
    half = tmp_path / "c" / "2.tmp"
    half.mkdir()
    (half / "state.npz").write_text("PK")
    checkpoints = CheckpointManager(tmp_path / "c")
    restored = checkpoints.restore(like(state))
    assert restored is not None
    assert int(restored.step) == 1


def test_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path, state: TrainState) -> None:
    save(tmp_path / "c", at(state, 1))
    (tmp_path / "c").rename(tmp_path / "away")
    (tmp_path / "c").write_text("a file in its place")
    with pytest.raises(UserError, match="cannot write a checkpoint to") as caught:
        save(tmp_path / "c", at(state, 2))
    assert "\n" not in str(caught.value)


def test_hyperparameters_of_the_last_update_are_read_with_the_state(
    tmp_path: Path, state: TrainState
) -> None:
    save(tmp_path, at(state, 3))
    found = CheckpointManager(tmp_path).read(
        Checkpoint(state=like(state), hyperparams=zero_hyperparameters())
    )
    assert found is not None
    assert int(found.checkpoint.state.step) == 3
    assert float(found.checkpoint.hyperparams.learning_rate) == 0.25


def test_arrays_are_named_by_what_they_are(tmp_path: Path, state: TrainState) -> None:
    save(tmp_path, at(state, 3))
    with np.load(tmp_path / "3" / FILE) as arrays:
        assert {"format", "state/params/output/bias", "state/step", "hyperparams/momentum"} <= set(
            arrays
        )


@pytest.mark.parametrize("number", [0, 2])
def test_another_format_is_one_sentence(tmp_path: Path, state: TrainState, number: int) -> None:
    save(tmp_path, at(state, 3))
    with np.load(tmp_path / "3" / FILE) as found:
        arrays = dict(found)
    if number:
        arrays["format"] = np.int32(number)
    else:
        del arrays["format"]  # as of a version before there were formats
    np.savez(tmp_path / "3" / FILE, **arrays)
    with pytest.raises(UserError, match=f"their format is {number}, .* reads format 1; ") as caught:
        CheckpointManager(tmp_path).restore(like(state))
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_a_checkpoint_is_on_the_disk_before_its_name_is(
    tmp_path: Path, state: TrainState, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    rename = Path.rename

    def watch_fsync(descriptor: int) -> None:
        calls.append(f"sync {Path(os.readlink(f'/proc/self/fd/{descriptor}')).name}")

    def watch_rename(path: Path, target: Path) -> Path:
        calls.append(f"rename {path.name}")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", watch_fsync)
    monkeypatch.setattr(Path, "rename", watch_rename)
    save(tmp_path / "checkpoints", at(state, 7))
    assert calls == [f"sync {FILE}", "sync 7.tmp", "rename 7.tmp", "sync checkpoints"]
