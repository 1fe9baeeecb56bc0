"""A state comes back as it was saved; what cannot come back is refused, and damage is noticed."""

import enum
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as of_numpy

from sweeps.errors import UserError
from sweeps.store import read_metrics
from sweeps.tracking import Run, Stop, state
from sweeps.tracking.run import Stopped
from sweeps.tracking.state import SavedState, load_state, read_state, write_state

DTYPES = st.one_of(
    of_numpy.boolean_dtypes(),
    of_numpy.integer_dtypes(endianness="?"),
    of_numpy.unsigned_integer_dtypes(endianness="?"),
    of_numpy.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
    of_numpy.complex_number_dtypes(endianness="?", sizes=(64, 128)),
)
SHAPES = of_numpy.array_shapes(min_dims=0, min_side=0, max_side=3)
# XLA has the processor set subnormal numbers to zero, in all tests of this process.
ARRAYS = DTYPES.flatmap(
    lambda dtype: of_numpy.arrays(
        dtype,
        SHAPES,
        elements=of_numpy.from_dtype(dtype, allow_subnormal=False) if dtype.kind in "fc" else None,
    )
)
PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_subnormal=False),
    st.text(),
    st.binary(),
)
VALUES = st.recursive(PLAIN | ARRAYS, lambda inner: st.dictionaries(st.text(), inner), max_leaves=8)


def alike(one: Any, other: Any) -> bool:
    """Whether two values are equal, of equal types, and equal to the last bit."""
    if isinstance(one, Mapping):
        return isinstance(other, dict) and (
            list(one) == list(other) and all(alike(one[key], other[key]) for key in one)
        )
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and (
            (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
        )
    return type(one) is type(other) and (one == other or (one != one and other != other))


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50
)
@given(saved=st.dictionaries(st.text(), VALUES), step=st.integers(-1, 10**12))
def test_state_comes_back_as_it_was_saved(tmp_path: Path, saved: dict[str, Any], step: int) -> None:
    write_state(tmp_path / "checkpoints", step, saved)
    found = read_state(tmp_path / "checkpoints")
    assert found is not None
    assert found.step == step
    assert alike(saved, found.state)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (bytearray(b"ab"), b"ab"),
        (memoryview(b"ab"), b"ab"),
        ([1.0, 2.0], np.array([1.0, 2.0])),
        ((1, 2), np.array([1, 2])),
        (np.float32(0.5), np.array(0.5, np.float32)),
        (np.arange(6).reshape(2, 3).T, np.arange(6).reshape(2, 3).T),
        (np.arange(6)[::-2], np.array([5, 3, 1])),
        (-0.0, -0.0),
        (math.inf, math.inf),
        (10**400, 10**400),
    ],
)
def test_kindred_value_comes_back_as_the_plain_one(
    tmp_path: Path, value: Any, expected: Any
) -> None:
    write_state(tmp_path, 0, {"value": value})
    found = read_state(tmp_path)
    assert found is not None
    assert alike(expected, found.state["value"])


class Colour(enum.Enum):
    """No number, no text."""

    RED = 1


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (object(), "a, a object"),
        (Colour.RED, "a, a Colour"),
        (print, "a, a builtin_function_or_method"),
        ({1, 2}, "a, a set"),
        ([1, [2, 3]], "a, a list"),
        ([None, 1.0], "a, a list"),
        (np.array(["x", None]), "a, a ndarray"),
        (np.zeros(2, [("x", "f4")]), "a, a ndarray"),
        ({"inner": {"deep": object()}}, "a/inner/deep, a object"),
    ],
)
def test_value_of_another_kind_is_refused_by_its_name(
    tmp_path: Path, value: Any, named: str
) -> None:
    write_state(tmp_path, 1, {"a": 1})
    with pytest.raises(UserError, match=rf"^run\.save cannot save {named}.*; give numbers, texts"):
        write_state(tmp_path, 2, {"a": value})
    assert read_state(tmp_path) == SavedState(1, {"a": 1})  # the one before


@pytest.mark.parametrize("name", [1, None, ("a", "b")])
def test_name_that_is_no_text_is_refused(tmp_path: Path, name: Any) -> None:
    with pytest.raises(UserError, match="is no text; give texts as names"):
        write_state(tmp_path, 0, {"outer": {name: 1}})


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is printed on damage."""
    said: list[str] = []
    monkeypatch.setattr(state, "warn", said.append)
    return said


def test_no_file_is_no_state_and_no_damage(tmp_path: Path, warnings: list[str]) -> None:
    assert read_state(tmp_path) is None
    assert not warnings


def _cut(raw: bytes, at: int) -> bytes:
    return raw[:at]


def _changed(raw: bytes, at: int) -> bytes:
    return raw[:at] + bytes([raw[at] ^ 0x21]) + raw[at + 1 :]


@pytest.mark.parametrize("damage", [_cut, _changed])
def test_damaged_file_is_said_and_gives_no_other_state(
    tmp_path: Path, warnings: list[str], damage: Callable[[bytes, int], bytes]
) -> None:
    saved = {"x": 1.5, "b": b"abc", "a": np.arange(3), "n": {"t": "hi"}}
    write_state(tmp_path, 3, saved)
    path = tmp_path / state.STATE_FILE
    raw = path.read_bytes()
    for at in range(0, len(raw), 3):
        warnings.clear()
        path.write_bytes(damage(raw, at))
        found = read_state(tmp_path)
        if found is None:
            assert warnings[0].startswith(f"{path} is damaged (")
            assert "the trial starts anew" in warnings[0]
        else:  # a byte that nothing reads, such as the time of an entry
            assert damage is _changed
            assert found.step == 3
            assert alike(saved, found.state)


@pytest.mark.parametrize(
    "content", ["no archive", '{"state": {}}', "\0" * 100], ids=["text", "json", "zeros"]
)
def test_file_of_another_kind_is_damage(tmp_path: Path, warnings: list[str], content: str) -> None:
    (tmp_path / state.STATE_FILE).write_text(content)
    assert read_state(tmp_path) is None
    assert len(warnings) == 1


def test_archive_of_another_program_is_damage(tmp_path: Path, warnings: list[str]) -> None:
    np.savez(tmp_path / state.STATE_FILE, weights=np.zeros(3))
    assert read_state(tmp_path) is None
    assert len(warnings) == 1


def descend(run: Run, until: int) -> None:
    """Halve a number a step; report and save it."""
    now = run.restore() or {"x": 1.0}
    for step in range(run.start, until):
        now = {"x": now["x"] / 2}
        run.report(step, {"loss": now["x"]}, 10)
        run.save(now)


def test_run_goes_on_after_its_saved_state_and_drops_what_came_later(tmp_path: Path) -> None:
    with Run(tmp_path, metric="loss", mode="min") as run:
        descend(run, 4)
        run.report(4, {"loss": 99.0}, 10)  # whose state is not saved
    with Run(tmp_path, metric="loss", mode="min") as run:
        assert run.start == 4
        descend(run, 10)
    rows = read_metrics(tmp_path / "metrics.csv")
    assert [(row["step"], row["loss"]) for row in rows] == [
        (step, 0.5 ** (step + 1)) for step in range(10)
    ]


def test_run_without_a_state_starts_at_0_and_keeps_nothing_of_before(tmp_path: Path) -> None:
    for _ in range(2):
        with Run(tmp_path, metric="loss", mode="min") as run:
            assert run.restore() is None
            assert run.start == 0
            run.report(0, {"loss": 1.0})
    assert len(read_metrics(tmp_path / "metrics.csv")) == 1


def test_state_before_the_first_report_is_restored_at_step_0(tmp_path: Path) -> None:
    with Run(tmp_path, metric="loss", mode="min") as run:
        run.save({"split": b"12"})
    with Run(tmp_path, metric="loss", mode="min") as run:
        assert run.restore() == {"split": b"12"}
        assert run.start == 0


def test_trial_that_is_to_stop_ends_in_its_save_and_not_before(tmp_path: Path) -> None:
    from sweeps import TrialStatus

    with Run(tmp_path, metric="loss", mode="min") as run:
        run.save({"x": 0})
        run.request_stop(Stop(TrialStatus.INTERRUPTED))
        run.report(0, {"loss": 1.0}, 10)
        with pytest.raises(Stopped):
            run.save({"x": 1})
        raise Stopped
    with Run(tmp_path, metric="loss", mode="min") as run:
        assert run.restore() == {"x": 1}
        assert run.start == 1


LOSSES = (3.0, 1.0, 2.0, 4.0)
"""The second of four steps is the best one."""


def train(folder: Path, stop_after: int = 4, keep: str = "best", mode: str = "min") -> None:
    """Report and save at each step; ends by an error after some."""
    folder.mkdir(exist_ok=True)
    with Run(folder, metric="loss", mode=mode, keep_checkpoints=keep) as run:
        for step in range(run.start, len(LOSSES)):
            run.report(step, {"loss": LOSSES[step]}, len(LOSSES) - 1)
            run.save({"step": step, "weights": np.full(3, step)})
            if step == stop_after:
                raise KeyboardInterrupt


@pytest.mark.parametrize("stop_after", [0, 1, 2, 4])
@pytest.mark.parametrize(("mode", "best"), [("min", 1), ("max", 3)])
def test_best_state_is_kept_through_interruptions(
    tmp_path: Path, stop_after: int, mode: str, best: int
) -> None:
    with suppress(KeyboardInterrupt):
        train(tmp_path, stop_after, mode=mode)
    train(tmp_path, mode=mode)
    assert load_state(tmp_path)["step"] == load_state(tmp_path, "best")["step"] == best
    np.testing.assert_array_equal(load_state(str(tmp_path))["weights"], [best] * 3)
    assert load_state(tmp_path, "last")["step"] == 3


def test_best_state_of_an_earlier_training_is_forgotten(tmp_path: Path) -> None:
    train(tmp_path)
    (tmp_path / "checkpoints" / "state.npz").unlink()
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, stop_after=0)
    assert load_state(tmp_path)["step"] == 0


@pytest.mark.parametrize(
    ("keep", "there"),
    [("best", {"best", "last"}), ("all", {"best", "last"}), ("last", {"last"}), ("none", set())],
)
def test_finished_run_keeps_what_was_asked_for(tmp_path: Path, keep: str, there: set[str]) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, 2, keep)
    assert load_state(tmp_path, "best")["step"] == 1  # until it has finished
    train(tmp_path, keep=keep)
    for checkpoint in ("best", "last"):
        if checkpoint in there:
            load_state(tmp_path, checkpoint)
        else:
            with pytest.raises(UserError, match=f"has no {checkpoint} state that can be read; the"):
                load_state(tmp_path, checkpoint)


def test_state_of_another_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="checkpoint='newest' is not known; give best or last"):
        load_state(tmp_path, "newest")
