"""`result.json`: the status of a trial and what its reports come to.

| key         | value                                                                     |
|-------------|---------------------------------------------------------------------------|
| status      | a `TrialStatus`                                                           |
| stopped_by  | scheduler's kind, `time` or `patience`, if one stopped the trial; or null |
| step        | updates made at the last report                                           |
| total_steps | updates that the trial makes in all; null: not known                      |
| seconds     | training time of the history that is kept, earlier processes included     |
| metrics     | tag -> last value                                                         |
| best        | `{metric, value, step}` of the ranking metric; null: none. NaN never wins |
| error       | one line on how it ended; null: nothing to say                            |
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sweeps.store.format import (
    FieldTypes,
    NonNegative,
    StepNumber,
    read_fields,
    write_fields,
)
from sweeps.store.metrics import INDEX_COLUMNS
from sweeps.store.status import TrialStatus

RESULT_FILE = "result.json"


@dataclass(frozen=True, kw_only=True)
class BestValue:
    """The best value of a trial's ranking metric."""

    metric: str
    value: float
    step: StepNumber


RESULT_TYPES: FieldTypes = {
    "status": TrialStatus,
    "stopped_by": str | None,
    "step": StepNumber,
    "total_steps": StepNumber | None,
    "seconds": NonNegative,
    "metrics": dict[str, float],
    "best": BestValue | None,
    "error": str | None,
}


def read_result(directory: Path) -> dict[str, Any]:
    """Read the fields of a trial's `result.json`; empty where it is missing or damaged.

    Raises:
      UserError: the file has another format.
    """
    return read_fields(directory / RESULT_FILE, RESULT_TYPES) or {}


def write_result(directory: Path, fields: Mapping[str, Any]) -> None:
    """Replace a trial's `result.json`.

    Raises:
      UserError: it cannot be written.
    """
    best = fields.get("best")
    plain = {**fields, "best": asdict(best)} if isinstance(best, BestValue) else fields
    durable = fields.get("status") != TrialStatus.RUNNING  # it is soon written again
    write_fields(directory / RESULT_FILE, plain, durable=durable)


def correct_result(directory: Path, **fields: Any) -> None:
    """Change fields of the result of a trial whose process is gone."""
    write_result(directory, {**read_result(directory), **fields})


def empty_result() -> dict[str, Any]:
    """The fields of a trial that has not reported yet."""
    return {
        "step": 0,
        "total_steps": None,
        "metrics": {},
        "best": None,
        "error": None,
        "stopped_by": None,
    }


def result_of(rows: Iterable[Mapping[str, float]], metric: str, mode: str) -> dict[str, Any]:
    """Sum up the rows of `metrics.csv`: fields `step`, `metrics` and `best`."""
    result: dict[str, Any] = {"step": 0, "metrics": {}, "best": None}
    for row in rows:
        update_result(result, int(row["step"]), metrics_of(row), metric, mode)
    return result


def metrics_of(row: Mapping[str, float]) -> dict[str, float]:
    """The metrics of a row of `metrics.csv`, by tag."""
    return {tag: row[tag] for tag in row if tag not in INDEX_COLUMNS}


def update_result(
    result: dict[str, Any], step: int, metrics: Mapping[str, float], metric: str, mode: str
) -> None:
    """Add a report to a result, in place."""
    result["step"] = step
    result["metrics"].update(metrics)
    result["best"] = updated_best(result["best"], step, metrics, metric, mode)


def updated_best(
    best: BestValue | None, step: int, metrics: Mapping[str, float], metric: str, mode: str
) -> BestValue | None:
    """The best value of a metric, given the best one before a report; NaN is never the best."""
    value = metrics.get(metric, math.nan)
    if math.isnan(value):
        return best
    sign = 1.0 if mode == "min" else -1.0
    if best is None or sign * value < sign * best.value:
        return BestValue(metric=metric, value=value, step=step)
    return best
