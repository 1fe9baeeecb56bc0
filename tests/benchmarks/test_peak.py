import time

import pytest

from benchmarks.peak import best_rate


def test_rate_is_that_of_the_fastest_product() -> None:
    waits = iter([0.0, 0.02, *[0.03] * 20])
    rate = best_rate(lambda: time.sleep(next(waits)), size=100)
    assert rate == pytest.approx(2e6 / 0.02, rel=0.2)
