"""Estimates: which trials share a program, and how what they take is put together."""

import math
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lm.config import parse_config
from lm.data.dataset import load_dataset
from lm.hooks import cost as module
from lm.hooks import timing
from lm.hooks.cost import MeasuredProgram, estimate, interpolate, spread
from lm.hooks.timing import ProgramTimings, time_program
from lm.training.functions import build_functions, make_static_config
from lm.training.state import count_parameters
from lm.training.trainer import Trainer

Compose = Callable[..., dict[str, Any]]

NUMBERS = [
    (),
    ("optimizer.learning_rate=0.3", "optimizer.momentum=0.1"),
    ("train.clip_norm=null", "train.epochs=9", "seed=5"),
    ("train.report_every=3", "optimizer.decay=0.5", "optimizer.hold_epochs=1"),
]
CODE = [
    ("model.rnn_size=8",),
    ("model.cell=gru",),
    ("optimizer=adam",),
    ("optimizer=lion",),
    ("optimizer=muon",),
    ("train.batch_size=5",),
    ("train.sequence_length=4",),
    ("train.predict=last",),
    ("data.valid_fraction=0.3",),
]


@pytest.fixture
def untimed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Measures nothing; lists the sizes that would have been."""
    measured: list[int] = []

    def pretend(config: Any, text: Any) -> tuple[ProgramTimings, int]:
        measured.append(config.model.rnn_size)
        return ProgramTimings(1.0, 2.0, 0.5, 4.0, 8.0, 1000.0), 10**9

    monkeypatch.setattr(module, "time_program", pretend)
    monkeypatch.setattr(module, "resident", lambda: 10**8)
    return measured


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(timing, "SECONDS", 0.05)
    build_functions.cache_clear()
    yield
    build_functions.cache_clear()


def test_trials_share_a_program_exactly_if_they_share_compiled_code(
    tiny: Compose, untimed: list[int]
) -> None:
    configs = [tiny(*changes) for changes in [*NUMBERS, *CODE]]
    names = [cost.program for cost in estimate(configs)]
    assert len(set(names[: len(NUMBERS)])) == 1
    assert len(set(names)) == 1 + len(CODE)


def test_programs_are_those_that_jit_compiles(tiny: Compose, untimed: list[int]) -> None:
    shapes = ["train.batch_size=4", "train.batch_size=5"]
    changes = [(shape, rate) for shape in shapes for rate in ("seed=0", "seed=1")]
    configs = [tiny(*pair) for pair in changes]
    expected = len({cost.program for cost in estimate(configs)})
    build_functions.cache_clear()
    functions = {}
    for config in map(parse_config, configs):
        trainer = Trainer(config, load_dataset(config.data))
        trainer.compile(trainer.start())
        functions[make_static_config(config, len(load_dataset(config.data).vocabulary))] = (
            trainer.functions
        )
    compiled = sum(program.train._cache_size() for program in functions.values())  # type: ignore[attr-defined]
    assert compiled == expected == len(shapes)


def test_seconds_are_of_all_epochs_and_memory_of_all_buffers(
    tiny: Compose, untimed: list[int]
) -> None:
    config = parse_config(tiny())
    trainer = Trainer(config, load_dataset(config.data))
    one, nine = estimate([tiny("train.epochs=1"), tiny("train.epochs=9")])
    epoch = trainer.steps_per_epoch * 0.5 + 4 + 8
    assert nine.seconds - one.seconds == pytest.approx(8 * epoch)
    test = 4 * int(trainer.held_out["test"].windows) / int(trainer.held_out["valid"].windows)
    assert one.seconds == pytest.approx(1 + 2 + epoch + test, abs=2)  # and the text's loading
    assert one.compile_seconds == 2
    assert one.parameters == count_parameters(trainer.start().params)
    assert one.bytes == pytest.approx(10**9, rel=0.01)


def test_of_many_programs_six_are_measured(tiny: Compose, untimed: list[int]) -> None:
    costs = estimate([tiny(f"model.rnn_size={size}") for size in range(12, 2, -1)])
    assert untimed == [3, 5, 7, 8, 10, 12]
    assert len({cost.program for cost in costs}) == 10
    assert {round(cost.compile_seconds, 6) for cost in costs} == {2.0}


def program(name: str, parameters: int) -> MeasuredProgram:
    return MeasuredProgram(name, None, None, 0.0, parameters, 1, 1, 8, 1.0)  # type: ignore[arg-type]


def test_interpolation_is_exact_for_powers_and_for_what_was_measured() -> None:
    def takes(size: float) -> ProgramTimings:
        return ProgramTimings(*(size**power for power in (0, 0.5, 1, 1, 1, 2)))

    known = [(program(str(size), size), takes(size)) for size in (10, 100, 1000)]
    np.testing.assert_allclose(interpolate(known, program("new", 300)), takes(300))
    assert interpolate(known, program("100", 100)) == takes(100)
    twice = [*known, (program("other", 100), takes(400))]
    assert interpolate(twice, program("new", 100)).step == pytest.approx(math.sqrt(100 * 400))


def test_few_programs_are_all_measured() -> None:
    few = [program(str(size), size) for size in (5, 3, 4)]
    assert [one.parameters for one in spread(few)] == [3, 4, 5]


@pytest.mark.usefixtures("quick")
def test_warm_up_gives_plausible_numbers_and_leaves_nothing(
    tiny: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    config = parse_config(tiny("optimizer.learning_rate=1e30"))  # diverges, if it is ever used
    found, resident = time_program(config, load_dataset(config.data))
    assert all(value > 0 for value in found)
    assert found.step < 0.1 < found.compile < 60
    assert 1e4 < found.buffers < 1e8 < resident
    assert not list(tmp_path.iterdir())
