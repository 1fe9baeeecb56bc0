"""The benchmark of the tab "Gradient flow" measures a few records."""

import pytest

from benchmarks.gradient_flow_tab_scale import HEADER, measure
from benchmarks.tensorboard import browser


@pytest.mark.slow
def test_every_number_is_measured() -> None:
    if reason := browser.missing():
        pytest.skip(reason)
    found = measure(trials=2, records=200, length=5)
    assert len(found) == len(HEADER)
    assert all(0 < value < 1e5 for value in found)
    assert found.heap > found.alone
