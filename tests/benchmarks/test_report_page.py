"""The benchmark of the report opens pages of few trials, and takes their pictures."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.report_page import WIDTHS
from benchmarks.tensorboard import browser

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.skipif(bool(browser.missing()), reason=str(browser.missing()))
def test_pages_are_measured_and_pictures_taken(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.report_page", "--trials", "1", "90", "--rounds"]
    command += ["1", "--markdown", "--pictures", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = [line.strip("|").split("|") for line in done.stdout.splitlines() if line[-1:] == "|"]
    one, many = (list(map(float, row)) for row in rows[2:])
    assert (one[0], many[0]) == (1, 90)
    assert 0.1 < one[1] < many[1] < 1.5  # MB
    assert many[4] > 150  # ms of a filter: the page waits so long for further letters
    assert len(list(tmp_path.glob("90_*.png"))) == 2 * len(WIDTHS)
