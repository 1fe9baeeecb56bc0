"""Event files: TensorBoard's own reader finds all that was written, after a kill and a resume."""

import math
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from sweeps.tensorboard.event_file import (
    EVENT_FILES,
    EventWriter,
    append_values,
    last_intact_step,
    read_reports,
    read_values,
    remove_values,
)
from sweeps.tensorboard.protos import text_value


def scalars(directory: Path, tag: str) -> list[tuple[int, float]]:
    reader = EventAccumulator(str(directory), size_guidance={"scalars": 0})
    reader.Reload()
    return [(event.step, event.value) for event in reader.Scalars(tag)]


def test_tensorboard_reads_every_value_with_its_wall_time(tmp_path: Path) -> None:
    writer = EventWriter(tmp_path, start=0)
    writer.write_scalars(1, 100.5, {"train/loss": 2.0, "valid/loss": math.nan})
    writer.write_scalars(2, 101.5, {"train/loss": math.inf})
    writer.close()
    reader = EventAccumulator(str(tmp_path))
    reader.Reload()
    losses = reader.Scalars("train/loss")
    assert [(e.wall_time, e.step, e.value) for e in losses] == [(100.5, 1, 2), (101.5, 2, math.inf)]
    assert math.isnan(reader.Scalars("valid/loss")[0].value)


def test_killed_process_loses_no_event(tmp_path: Path) -> None:
    program = (
        "import os, sys, pathlib; from sweeps.tensorboard.event_file import EventWriter;"
        "writer = EventWriter(pathlib.Path(sys.argv[1]), 0);"
        "[writer.write_scalars(i, 0.5, {'a': i}) for i in range(500)]; os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert scalars(tmp_path, "a") == [(i, i) for i in range(500)]


def test_resumed_run_shows_no_point_after_the_checkpoint_twice(tmp_path: Path) -> None:
    for start, value in ((0, 1.0), (3, 2.0), (3, 3.0)):
        writer = EventWriter(tmp_path, start=start)
        for step in range(start, 6):
            writer.write_scalars(step, 0.0, {"a": value})
        writer.close()
    assert scalars(tmp_path, "a") == [(0, 1), (1, 1), (2, 1), (3, 3), (4, 3), (5, 3)]


def test_event_files_of_one_moment_never_share_a_name(tmp_path: Path) -> None:
    writers = [EventWriter(tmp_path, start=0) for _ in range(50)]
    names = [writer.path.name for writer in writers]
    assert len(set(names)) == 50
    assert names == sorted(names)
    for writer in writers:
        writer.close()


DAY = 86_400 * 10**9


@pytest.mark.fault
@pytest.mark.parametrize(
    "clocks",
    [
        [DAY, 0],  # ahead, then right
        [0, -DAY],
        [DAY, 0, 2 * DAY, -DAY, -DAY],  # machines with clocks apart
        [1, 0, 0],
        [0, 0, 0],
    ],
)
def test_no_point_is_lost_to_a_clock_that_jumps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clocks: list[int]
) -> None:
    now = time.time_ns()
    for number, clock in enumerate(clocks):
        monkeypatch.setattr(time, "time_ns", lambda clock=clock: now + clock)
        writer = EventWriter(tmp_path, start=10 * number)
        for step in range(10 * number, 10 * number + 15):  # five are written again afterwards
            writer.write_scalars(step, 0.5, {"a": float(number)})
        writer.close()
    last = len(clocks) - 1
    shown = [(step, float(min(step // 10, last))) for step in range(10 * last + 15)]
    assert scalars(tmp_path, "a") == shown
    assert [(step, values["a"]) for step, _, values in read_reports(tmp_path)] == shown


@pytest.mark.parametrize(
    "name",
    [
        "events.out.tfevents.9999999998.host.123.0",  # as other programs write them
        "events.out.tfevents.9999999998.999999998.9host.1",
        "events.out.tfevents.1",
        "events.out.tfevents.words",
    ],
)
def test_a_new_file_sorts_after_those_of_other_programs(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    writer = EventWriter(tmp_path, start=0)
    writer.close()
    assert "words" in name or max(path.name for path in tmp_path.iterdir()) == writer.path.name


def whole_file(folder: Path) -> Path:
    """An event file with scalars of steps 1 to 6 and a text after each."""
    writer = EventWriter(folder, start=0)
    for step in range(1, 7):
        writer.write_scalars(step, 0.5, {"a": float(step)})
        writer.write_values([text_value("words", "x" * step)], step)
    writer.close()
    return writer.path


@given(data=st.data())
@settings(
    derandomize=True,
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_cut_and_any_bytes_leave_what_stands_before(
    tmp_path: Path, data: st.DataObject
) -> None:
    for path in tmp_path.glob(EVENT_FILES):
        path.unlink()
    path = whole_file(tmp_path)
    content = path.read_bytes()
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        path.write_bytes(content[:place])
    else:
        flipped = content[place] ^ data.draw(st.integers(1, 255))
        path.write_bytes(content[:place] + bytes([flipped]) + content[place + 1 :])
    steps = [step for step, _, _ in read_reports(tmp_path)]
    assert steps == list(range(1, len(steps) + 1))
    assert last_intact_step(tmp_path) in (max(steps, default=-1), sys.maxsize)
    known = len(read_values(path))
    assert known in (2 * len(steps), max(0, 2 * len(steps) - 1))
    append_values(tmp_path, [text_value("words", "the end")])
    remove_values(path, keep=lambda value: value.tag == "a")
    assert len(read_values(path)) == len(steps)
    assert [step for step, _, _ in read_reports(tmp_path)] == steps
