"""Reports -> what a result says of them. Pure, but for the result that is folded into."""

import math
from collections.abc import Iterable, Mapping
from typing import Any


def empty_result() -> dict[str, Any]:
    """What a result says of a run that has not reported yet."""
    return {
        "step": 0,
        "total_steps": None,
        "metrics": {},
        "best": None,
        "error": None,
        "stopped_by": None,
    }


def result_of(rows: Iterable[Mapping[str, float]], metric: str, mode: str) -> dict[str, Any]:
    """What a result says of its reports: last step, last metrics, and the best of one."""
    result: dict[str, Any] = {"step": 0, "metrics": {}, "best": None}
    for row in rows:
        update_result(result, int(row["step"]), metrics_of(row), metric, mode)
    return result


def metrics_of(row: Mapping[str, float]) -> dict[str, float]:
    """The metrics of a row of `metrics.csv`, by tag."""
    return {tag: row[tag] for tag in row if tag not in ("step", "wall_time")}


def update_result(
    result: dict[str, Any], step: int, values: Mapping[str, float], metric: str, mode: str
) -> None:
    """Take a report into a result."""
    result["step"] = step
    result["metrics"].update(values)
    result["best"] = updated_best(result["best"], step, values, metric, mode)


def updated_best(
    best: dict[str, Any] | None, step: int, values: Mapping[str, float], metric: str, mode: str
) -> dict[str, Any] | None:
    """The best value of a metric once a report has come in; NaN is never the best."""
    value = values.get(metric, math.nan)
    if math.isnan(value):
        return best
    sign = 1.0 if mode == "min" else -1.0
    if best is None or sign * value < sign * best["value"]:
        return {"metric": metric, "value": value, "step": step}
    return best
