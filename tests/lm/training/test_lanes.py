"""Packs: a lane is the trial alone, beside any neighbours."""

import json
import logging
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from sweeps.errors import UserError
from sweeps.store.metrics import read_metrics
from sweeps.store.trial import read_trial
from tests.lm.helpers.packs import LANES, NAMES, lanes, train_pack
from tests.lm.helpers.training import assert_same, final_state, history, run

Compose = Callable[..., dict[str, Any]]
ROUNDING = 1e-4
"""Relative, between a lane and the same trial alone, after two epochs of updates."""


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, tiny: Compose) -> Path:
    """Each of them as a single run."""
    folder = tmp_path_factory.mktemp("alone")
    for name, values in lanes(tiny, *LANES).items():
        run(folder / name, values)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_lane_is_the_trial_alone_to_rounding(
    whole_pack: Path, alone: Path, tiny: Compose, name: str
) -> None:
    one, other = whole_pack / name, alone / name
    assert read_trial(one).status == read_trial(other).status == "finished"
    for row, expected in zip(history(one), history(other), strict=True):
        assert row == pytest.approx(expected, rel=ROUNDING)
    values = lanes(tiny, name)[name]
    for a, b in zip(final_state(one, values), final_state(other, values), strict=True):
        np.testing.assert_allclose(a, b, rtol=ROUNDING, atol=ROUNDING)


@pytest.mark.parametrize("name", ["plain", "scale", "changes"])
def test_lane_is_the_same_in_any_place_beside_any_neighbours(
    whole_pack: Path, tmp_path: Path, tiny: Compose, name: str
) -> None:
    trials = lanes(tiny, name)
    train_pack(tmp_path, trials, width=len(LANES))
    assert_same(tmp_path / name, whole_pack / name, trials[name])
    for folder in (tmp_path, whole_pack):
        facts = json.loads((folder / name / "provenance.json").read_text())
        assert facts["lanes"] == len(LANES)


EVERYDAY = "rows that lag behind"
OPTIONS = {
    EVERYDAY: (
        "loss.kind=sampled_softmax",
        "loss.samples=5",
        "train.changes=[{step:10,optimizer.learning_rate:0.2}]",
    ),
    "adam, full softmax, windows that slide": (
        "optimizer=adam",
        "loss.kind=softmax",
        "train.predict=last",
        "train.report_every=40",
        "train.epochs=1",
    ),
    "rmsprop, nce, two layers of gru": (
        "optimizer=rmsprop",
        "loss.kind=nce",
        "loss.samples=4",
        "model.cell=gru",
        "model.layers=2",
    ),
}


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(options, id=name, marks=() if name == EVERYDAY else pytest.mark.slow)
        for name, options in OPTIONS.items()
    ],
)
@pytest.mark.slow
def test_lane_does_not_depend_on_its_neighbours_whatever_the_model(
    tmp_path: Path, tiny: Compose, options: Sequence[str]
) -> None:
    for folder, names in (("one", ("seed", "scale")), ("other", ("diverges", "seed"))):
        train_pack(tmp_path / folder, lanes(tiny, *names, options=options))
    values = lanes(tiny, "seed", options=options)["seed"]
    assert_same(tmp_path / "one" / "seed", tmp_path / "other" / "seed", values)
    run(tmp_path / "alone", values)
    rows = zip(history(tmp_path / "one" / "seed"), history(tmp_path / "alone"), strict=True)
    for row, expected in rows:
        assert row == pytest.approx(expected, rel=ROUNDING)


def test_diverging_lane_ends_as_it_does_alone_and_leaves_the_others(
    whole_pack: Path, alone: Path
) -> None:
    packed, single = (read_trial(folder / "diverges") for folder in (whole_pack, alone))
    assert packed.status == single.status == "diverged"
    assert packed.step == single.step < 7
    assert packed.error == single.error
    assert [row["step"] for row in history(whole_pack / "diverges")] == [packed.step]
    assert all(read_trial(whole_pack / name).status == "finished" for name in NAMES)


def test_lanes_report_at_their_own_steps(whole_pack: Path) -> None:
    folder = whole_pack
    steps = {name: [row["step"] for row in history(folder / name)] for name in LANES}
    assert steps["plain"] == [7, 14, 21, 23, 30, 37, 44, 46]
    assert steps["short"] == [7, 14, 21, 23]
    assert steps["changes"] == [7, 10, 17, 23, 30, 37, 44, 46]
    for name in ("plain", "changes"):
        rows = read_metrics(folder / name / "metrics.csv")
        assert all(row["time/words_per_second"] > 0 for row in rows)
        assert ["test/perplexity" in row for row in rows] == [False] * 7 + [True]


def test_lanes_that_differ_in_numbers_compile_once(
    tmp_path: Path, tiny: Compose, caplog: pytest.LogCaptureFixture
) -> None:
    packs = (("plain", "rate"), ("clip", "scale"), ("seed",))
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        for names in packs:
            trials = lanes(tiny, *names, options=("model.rnn_size=9",))
            train_pack(tmp_path / names[0], trials)
    compiled = [record.getMessage() for record in caplog.records]
    for function in ("train_lanes", "evaluate"):
        assert sum(f"Compiling jit({function})" in line for line in compiled) == 1, function


def test_trials_of_other_shapes_are_refused(tmp_path: Path, tiny: Compose) -> None:
    with pytest.raises(UserError, match="cannot train together"):
        train_pack(tmp_path, {"a": tiny(), "b": tiny("model.rnn_size=8")})


def test_pack_needs_no_ray() -> None:
    program = "import lm.objective, sys; print('ray' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
