"""Which trials of which sweeps a comparison holds, and by which metric."""

from pathlib import Path
from typing import Any

import pytest

from sweeps.analysis.comparison import compare_sweeps
from sweeps.errors import UserError


def test_folders_of_one_name_are_told_apart(make_sweep: Any) -> None:
    folders = [make_sweep([{"a": 1}], lambda s, step: 1.0, name=f"{x}/grid") for x in "ab"]
    assert compare_sweeps(folders).names == tuple(str(folder) for folder in folders)


def test_sweeps_by_different_metrics_need_one(grid: Path, make_sweep: Any) -> None:
    other = make_sweep([{"a": 1}], lambda s, step: 1.0, name="other", metric="score", mode="max")
    with pytest.raises(UserError, match=r"by score\); give --metric TAG"):
        compare_sweeps([grid, other])
    assert compare_sweeps([grid, other], metric="train/loss").mode == "min"
