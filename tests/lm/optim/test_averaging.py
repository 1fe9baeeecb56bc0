"""NT-ASGD: when averaging begins, what the average is, and what it is used for."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lm.config import Config, parse_config
from lm.data.dataset import load_dataset
from lm.model.types import Params
from lm.optim.averaging import TriggerState, init_average, update_trigger
from lm.training.callbacks import Callback
from lm.training.checkpoint import CheckpointManager
from lm.training.state import TrainState, evaluated_params
from lm.training.step import record_validation_loss
from lm.training.trainer import Trainer
from tests.lm.helpers.packs import train_pack
from tests.lm.helpers.training import assert_same, history, killed_at, run, signalled_at
from tests.lm.training.test_lanes import ROUNDING
from tests.lm.training.test_step import BATCH, TIME, advance, start

Compose = Callable[..., dict[str, Any]]
AVERAGED = "train/averaged_updates"
EPOCH = 23
"""Updates."""
PATIENCE = "optimizer.average_patience=0"
JUMP = "{step:30,optimizer.learning_rate:5},{step:33,optimizer.learning_rate:0.2}"
"""So far off that the second epoch ends worse than the first."""
STALLS = PATIENCE, "train.epochs=4", f"train.changes=[{JUMP}]"


def begins(losses: Sequence[float], patience: int) -> int | None:
    """The epoch after which the authors' main.py begins to average."""
    best_val_loss: list[float] = []
    for epoch, loss in enumerate(losses):
        earlier = best_val_loss[: len(best_val_loss) - patience]
        if len(best_val_loss) > patience and loss > min(earlier):
            return epoch
        best_val_loss.append(loss)
    return None


@pytest.mark.parametrize("patience", [0, 1, 3, 20])
def test_averaging_begins_where_the_authors_program_begins(patience: int) -> None:
    draw = np.random.default_rng(patience)
    courses = [np.linspace(1.2, 1, 12) + 0.3 * draw.random(12) for _ in range(20)]
    courses = [course.astype(np.float32) for course in courses]
    history = init_average({}, patience).history
    lanes = jax.tree.map(lambda x: jnp.stack([x] * len(courses)), history)
    found: list[int | None] = [None] * len(courses)
    for epoch in range(12):
        nobody = update_trigger(lanes, jnp.full(len(courses), 9.0), jnp.zeros(len(courses), bool))
        assert_equal(nobody, lanes)
        losses = jnp.array([course[epoch] for course in courses])
        lanes = update_trigger(lanes, losses, jnp.ones(len(courses), bool))
        for lane, begun in enumerate(np.asarray(lanes.begun)):
            if begun and found[lane] is None:
                found[lane] = epoch
    assert found == [begins(course, patience) for course in courses]
    assert patience == 20 or len(set(found)) > 2


def assert_equal(one: Any, other: Any) -> None:
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(a, b)


def begun(state: TrainState) -> bool:
    assert state.average is not None
    assert isinstance(state.average.history, TriggerState)
    return bool(state.average.history.begun)


def test_average_is_the_mean_of_the_parameters_after_each_update_since(tiny: Compose) -> None:
    config = parse_config(
        tiny(
            f"train.batch_size={BATCH}",
            f"train.sequence_length={TIME}",
            "optimizer.average_patience=1",
        )
    )
    state, seen = start(config), []
    losses = {2: 3.0, 4: 2.0, 7: 4.0}  # after so many updates; the last is above the first
    for number in range(1, 18):
        counts = begun(state)
        state, _ = advance(config, state, 1)
        if counts:
            seen.append(jax.tree.map(lambda x: np.asarray(x, np.float64), state.params))
        else:
            assert_equal(evaluated_params(state), state.params)
        if number in losses:
            state = record_validation_loss(state, losses[number])
    assert len(seen) == 10
    expected = jax.tree.map(lambda *each: np.mean(each, axis=0), *seen)
    used = evaluated_params(state)
    for mean, value in zip(jax.tree.leaves(expected), jax.tree.leaves(used), strict=True):
        np.testing.assert_allclose(value, mean, rtol=1e-5, atol=1e-7)


class Watcher(Callback):
    """Keeps the parameters that it is shown."""

    def __init__(self, shown: list[Any]) -> None:
        self._shown = shown

    def on_epoch(self, params: Params, step: int) -> dict[str, float]:
        self._shown.append(params)
        return {}


@pytest.fixture(scope="module")
def stalled(tmp_path_factory: pytest.TempPathFactory, tiny: Compose) -> tuple[Path, list[Any]]:
    """A run whose validation stalls after an epoch, and the parameters that its callbacks got."""
    folder, shown = tmp_path_factory.mktemp("stalled"), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lm.objective.make_callbacks", lambda *trial: [Watcher(shown)])
        assert run(folder, tiny(*STALLS)).status == "finished"
    return folder, shown


def epochs(folder: Path) -> list[dict[str, float]]:
    return [row for row in history(folder) if "valid/loss" in row]


def last_state(config: Config, trainer: Trainer, folder: Path) -> TrainState:
    state = CheckpointManager(folder / "checkpoints").restore(trainer.functions.shapes)
    assert state is not None
    return state


def test_run_that_stalls_is_evaluated_and_shown_by_its_average(
    stalled: tuple[Path, list[Any]], tiny: Compose
) -> None:
    folder, shown = stalled
    rows = epochs(folder)
    assert begins([row["valid/loss"] for row in rows], 0) == 1
    assert [row[AVERAGED] for row in rows] == [0, 0, EPOCH, 2 * EPOCH]
    config = parse_config(tiny(*STALLS))
    trainer = Trainer(config, load_dataset(config.data))
    state = last_state(config, trainer, folder)
    assert state.average is not None
    of_mean = trainer.evaluate(state.average.mean, "test")
    assert of_mean["test/loss"] == rows[-1]["test/loss"]
    assert trainer.evaluate(state.params, "test")["test/loss"] != rows[-1]["test/loss"]
    assert_equal(shown[-1], state.average.mean)


@pytest.mark.parametrize("stop", [killed_at, signalled_at], ids=["killed", "signalled"])
@pytest.mark.parametrize("step", [2 * EPOCH, 2 * EPOCH + 14])
def test_resumed_run_goes_on_with_history_and_average(
    stalled: tuple[Path, list[Any]], tmp_path: Path, tiny: Compose, stop: Any, step: int
) -> None:
    values = tiny(*STALLS, "train.checkpoint_minutes=0")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, values, stop(step))
    run(tmp_path, values)
    assert_same(tmp_path, stalled[0], values)


PARTS = (
    PATIENCE,
    "train.epochs=3",
    "optimizer.learning_rate=0.2",
    "model.dropout_kind=locked",
    "model.dropout=0.1",
    "model.embedding_dropout=0.1",
    "model.weight_drop=0.1",
    "loss.activation_penalty=0.1",
    "loss.slowness_penalty=0.1",
    "optimizer.weight_decay=1e-4",
)
LANES = {
    "plain": (),
    "stalls": STALLS[2:],
    "numbers": (
        "seed=3",
        "model.input_dropout=0.3",
        "model.output_dropout=0.05",
        "model.embedding_dropout=0.3",
        "model.weight_drop=0.4",
        "loss.activation_penalty=2",
        "loss.slowness_penalty=1",
        "optimizer.weight_decay=1e-3",
    ),
}


@pytest.mark.slow
def test_lane_with_all_parts_is_the_trial_alone(tmp_path: Path, tiny: Compose) -> None:
    trials = {name: tiny(*PARTS, *numbers) for name, numbers in LANES.items()}
    train_pack(tmp_path / "pack", trials)
    averaged = {}
    for name, values in trials.items():
        run(tmp_path / name, values)
        one, other = history(tmp_path / "pack" / name), history(tmp_path / name)
        for row, expected in zip(one, other, strict=True):
            assert row == pytest.approx(expected, rel=ROUNDING)
        averaged[name] = epochs(tmp_path / name)[-1][AVERAGED]
    assert averaged["plain"] == 0
    assert averaged["stalls"] == EPOCH
