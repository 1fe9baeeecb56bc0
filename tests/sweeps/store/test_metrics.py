"""A metrics table gives back what was written, after a kill, a resume and on a full disk."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sweeps.errors import UserError
from sweeps.store.metrics import MetricsTable, read_metrics


def test_killed_process_loses_no_row(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    program = (
        "import os, sys, pathlib; from sweeps.store.metrics import MetricsTable;"
        "table = MetricsTable(pathlib.Path(sys.argv[1]), -1);"
        "[table.write(i, 0.5, {'a': i}) for i in range(500)]; os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert [row["a"] for row in read_metrics(path)] == list(range(500))


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
