import pytest

from benchmarks.harness import peak


def test_rate_is_that_of_the_fastest_product(monkeypatch: pytest.MonkeyPatch) -> None:
    now, waits = [0.0], iter([0.01, 0.03, 0.02, *[0.04] * 20])  # the first one compiles

    def multiply() -> None:
        now[0] += next(waits)

    monkeypatch.setattr(peak.time, "perf_counter", lambda: now[0])
    assert peak.best_rate(multiply, size=100) == pytest.approx(2e6 / 0.02)
