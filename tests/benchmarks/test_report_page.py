"""The benchmark of the report opens pages of few trials, and takes their pictures."""

from pathlib import Path

import pytest

from benchmarks.report_page import WIDTHS, measure
from benchmarks.tensorboard import browser


@pytest.mark.slow
@pytest.mark.skipif(bool(browser.missing()), reason=str(browser.missing()))
def test_pages_are_measured_and_pictures_taken(tmp_path: Path) -> None:
    one, many = (measure(trials, 1, tmp_path) for trials in (1, 90))
    assert 0.1 < one.size < many.size < 1.5
    assert min(many[1:]) > 0
    assert many.filter > 150  # the page waits so long for further letters
    assert len(list(tmp_path.glob("90_*.png"))) == 2 * len(WIDTHS)
