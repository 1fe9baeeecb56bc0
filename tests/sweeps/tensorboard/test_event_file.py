"""Event files: TensorBoard's own reader finds all that was written, after a kill and a resume."""

import math
import subprocess
import sys
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from sweeps.tensorboard.event_file import EventWriter


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
