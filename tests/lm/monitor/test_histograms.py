"""Counts against NumPy's histogram of the same numbers."""

from collections.abc import Callable

import jax
import numpy as np
import pytest

from lm.monitor.histograms import (
    CHUNK,
    LARGE_ARRAY,
    linear_histograms,
    log_histograms,
    to_histograms,
)
from sweeps.tensorboard import Histogram

Count = Callable[[str, dict[str, np.ndarray]], dict[str, Histogram]]

ARRAYS = {
    "matrix": np.random.default_rng(0).normal(size=(37, 61)).astype(np.float32),
    "short": np.array([0.25, -3.0], np.float32),
    "whole chunks": np.random.default_rng(1).uniform(0, 1, 2 * CHUNK).astype(np.float32),
    "large": np.random.default_rng(3).normal(size=LARGE_ARRAY + 7).astype(np.float32),
    "large, whole chunks": np.random.default_rng(4).normal(size=LARGE_ARRAY).astype(np.float32),
    "decades": (10.0 ** np.random.default_rng(2).uniform(-9, 2, 5000)).astype(np.float32),
}


@pytest.fixture(params=["jax", "numpy"])
def counted(request: pytest.FixtureRequest) -> Count:
    """What counts."""

    def count(how: str, arrays: dict[str, np.ndarray]) -> dict[str, Histogram]:
        function = {"evenly": linear_histograms, "halving": log_histograms}[how]
        if request.param == "numpy":
            return dict(to_histograms(function(arrays)))
        found = jax.jit(function)({name: jax.numpy.asarray(x) for name, x in arrays.items()})
        return dict(to_histograms(jax.device_get(found)))

    return count


@pytest.mark.parametrize("how", ["evenly", "halving"])
@pytest.mark.parametrize("name", ARRAYS)
def test_every_number_is_counted_in_the_bucket_that_holds_it(
    counted: Count, how: str, name: str
) -> None:
    histogram, x = counted(how, ARRAYS)[name], ARRAYS[name].reshape(-1).astype(np.float64)
    edges = np.array(histogram.edges)
    assert (np.diff(edges) > 0).all()
    assert edges[0] <= x.min() + 1e-6 * abs(x.min())
    assert edges[-1] >= x.max() - 1e-6 * abs(x.max())
    # Rounding may put a number that lies on an edge on its other side.
    expected, _ = np.histogram(np.clip(x, edges[0], edges[-1]), edges)
    assert sum(histogram.counts) == len(x)
    assert np.abs(np.cumsum(expected) - np.cumsum(histogram.counts)).max() <= 2


def test_even_buckets_end_at_the_least_and_the_largest_number(counted: Count) -> None:
    histogram = counted("evenly", ARRAYS)["matrix"]
    assert histogram.edges[0] == pytest.approx(ARRAYS["matrix"].min())
    assert histogram.edges[-1] == pytest.approx(ARRAYS["matrix"].max())


def test_halving_buckets_tell_small_gradients_from_none(counted: Count) -> None:
    x = np.array([1.0, 1e-3, -1e-3, 0.0], np.float32)
    histogram = counted("halving", {"x": x})["x"]
    holding_zero = np.searchsorted(histogram.edges, 0.0) - 1
    assert histogram.counts[holding_zero] == 1
    assert sum(histogram.counts) == 4


@pytest.mark.parametrize("how", ["evenly", "halving"])
def test_what_is_not_finite_is_left_out(counted: Count, how: str) -> None:
    x = np.array([np.nan, np.inf, -np.inf, 2.0, 1.0], np.float32)
    large = np.concatenate([x, np.zeros(LARGE_ARRAY, np.float32), x])
    found = counted(how, {"some": x, "none": np.full(3, np.nan, np.float32), "large": large})
    assert set(found) == {"some", "large"}
    assert sum(found["some"].counts) == 2
    assert sum(found["large"].counts) == LARGE_ARRAY + 4


@pytest.mark.parametrize("how", ["evenly", "halving"])
@pytest.mark.parametrize("value", [0.0, -0.75])
def test_equal_numbers_share_a_bucket_around_them(counted: Count, how: str, value: float) -> None:
    histogram = counted(how, {"x": np.full(10, value, np.float32)})["x"]
    assert histogram.counts == [10]
    assert histogram.edges[0] <= value <= histogram.edges[1]


@pytest.mark.parametrize("how", ["evenly", "halving"])
def test_numbers_too_far_apart_for_a_float_are_counted(counted: Count, how: str) -> None:
    histogram = counted(how, {"x": np.array([-3e38, 0.0, 3e38], np.float32)})["x"]
    assert sum(histogram.counts) == 3
