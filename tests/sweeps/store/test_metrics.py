"""What the writers leave can be read by TensorBoard and by anyone else."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from sweeps.errors import UserError
from sweeps.store.metrics import MetricsTable, read_metrics
from sweeps.tensorboard.event_file import EventWriter


def scalars(directory: Path, tag: str) -> list[tuple[int, float]]:
    reader = EventAccumulator(str(directory), size_guidance={"scalars": 0})
    reader.Reload()
    return [(event.step, event.value) for event in reader.Scalars(tag)]


def test_tensorboard_reads_every_value_with_its_wall_time(tmp_path: Path) -> None:
    writer = EventWriter(tmp_path, start=0)
    writer.write(1, 100.5, {"train/loss": 2.0, "valid/loss": math.nan})
    writer.write(2, 101.5, {"train/loss": math.inf})
    writer.close()
    reader = EventAccumulator(str(tmp_path))
    reader.Reload()
    losses = reader.Scalars("train/loss")
    assert [(e.wall_time, e.step, e.value) for e in losses] == [(100.5, 1, 2), (101.5, 2, math.inf)]
    assert math.isnan(reader.Scalars("valid/loss")[0].value)


def test_killed_process_loses_no_event(tmp_path: Path) -> None:
    program = (
        "import os, sys, pathlib; from sweeps.tensorboard.event_file import EventWriter;"
        "from sweeps.store.metrics import MetricsTable;"
        "d = pathlib.Path(sys.argv[1]); e = EventWriter(d, 0); t = MetricsTable(d / 'm.csv', -1);"
        "[(e.write(i, 0.5, {'a': i}), t.write(i, 0.5, {'a': i})) for i in range(500)]; os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert scalars(tmp_path, "a") == [(i, i) for i in range(500)]
    assert [row["a"] for row in read_metrics(tmp_path / "m.csv")] == list(range(500))


def test_resumed_run_shows_no_point_after_the_checkpoint_twice(tmp_path: Path) -> None:
    for start, value in ((0, 1.0), (3, 2.0), (3, 3.0)):
        writer = EventWriter(tmp_path, start=start)
        for step in range(start, 6):
            writer.write(step, 0.0, {"a": value})
        writer.close()
    assert scalars(tmp_path, "a") == [(0, 1), (1, 1), (2, 1), (3, 3), (4, 3), (5, 3)]


def test_event_files_of_one_moment_never_share_a_name(tmp_path: Path) -> None:
    writers = [EventWriter(tmp_path, start=0) for _ in range(50)]
    names = [writer.path.name for writer in writers]
    assert len(set(names)) == 50
    assert names == sorted(names)
    for writer in writers:
        writer.close()


def test_table_takes_new_tags_and_gives_back_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    table = MetricsTable(path, keep_until=-1)
    table.write(10, 0.25, {"a": 0.1, "b": 1e-5})
    table.write(20, 0.5, {"a": math.inf, "c, d": 3.0})
    table.write(30, 0.75, {"a": math.nan})
    table.close()
    assert path.read_text().splitlines()[:3] == [
        'step,wall_time,a,b,"c, d"',
        "10,0.25,0.1,1e-05,",
        "20,0.5,inf,,3.0",
    ]
    rows = read_metrics(path)
    assert rows[:2] == [
        {"step": 10, "wall_time": 0.25, "a": 0.1, "b": 1e-5},
        {"step": 20, "wall_time": 0.5, "a": math.inf, "c, d": 3.0},
    ]
    assert math.isnan(rows[2]["a"])


def test_resumed_table_drops_later_rows_and_a_half_written_one(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("step,wall_time,a\n1,0.0,1.0\n2,0.0,2.0\n3,0.0,3.0\n4,0.")
    table = MetricsTable(path, keep_until=2)
    table.write(3, 0.0, {"a": 30.0})
    table.close()
    assert [(row["step"], row["a"]) for row in read_metrics(path)] == [(1, 1), (2, 2), (3, 30)]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_is_reported_at_once_and_in_one_sentence(tmp_path: Path) -> None:
    table = MetricsTable(tmp_path / "metrics.csv", keep_until=-1)
    table.write(1, 0.0, {"a": 1.0})
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, table._file.fileno())
    with pytest.raises(UserError, match=r"cannot write .*metrics.csv \(No space left on device\)"):
        table.write(2, 0.0, {"a": 1.0})
    table.close()
    os.close(full)
