"""Export of a sweep as a study of Optuna.

| status                        | state in the study |
|-------------------------------|--------------------|
| finished, with a value        | COMPLETE           |
| stopped                       | PRUNED             |
| diverged, failed, interrupted | FAIL               |

A trial's value is its best one of the sweep's metric, and its intermediate values are those that it
reported. A study refuses changes of its trials, and new choices of a text axis; where there are
some, it is made anew.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    check_distribution_compatibility,
)
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy.exc import SQLAlchemyError

from sweeps.errors import UserError, first_line
from sweeps.export.records import DIGEST, KEY, Changes, Record, compare, records_of
from sweeps.labels import are_numbers, sort_labels
from sweeps.store import Sweep, TrialStatus, read_metrics
from sweeps.store.metrics import METRICS_FILE

AXES = "lm-sweeps.axes"
"""The study's attribute that holds the sweep's axes."""
STATES = {TrialStatus.FINISHED: TrialState.COMPLETE, TrialStatus.STOPPED: TrialState.PRUNED}
"""Status -> state; of all others FAIL."""
UNSET = "unset"
"""Choice of a trial that has no label on an axis."""


def export(sweep: Sweep, records: Sequence[Record], target: str, name: str) -> tuple[Changes, str]:
    """Write trials to a study; see `sweeps.export.export.export_sweep`.

    Raises:
      UserError: the storage cannot be opened, or has a study of this name that is another's.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return _export(optuna.storages.get_storage(target), sweep, records, target, name)
    except (SQLAlchemyError, ImportError) as error:
        raise UserError(
            f"the storage {target} cannot be used ({first_line(error)}); give a URL of Optuna's, "
            "such as sqlite:///grid.db."
        ) from error


def _export(
    storage: BaseStorage, sweep: Sweep, records: Sequence[Record], target: str, name: str
) -> tuple[Changes, str]:
    found = distributions(sweep, records)
    known: dict[str, str] = {}
    names = [one.study_name for one in optuna.get_all_study_summaries(storage)]
    remade = ""
    if name in names:
        study = optuna.load_study(study_name=name, storage=storage)
        trials = study.get_trials(deepcopy=False)
        known = {str(one.user_attrs.get(KEY)): str(one.user_attrs.get(DIGEST)) for one in trials}
        _check_study(study, sweep, target, known)
        changes = compare(records, known)
        if changes.changed or not _are_compatible(trials, found):
            optuna.delete_study(study_name=name, storage=storage)
            names.remove(name)
            remade = ", which was made anew"
    changes = compare(records, known)
    if name not in names:
        direction = StudyDirection.MAXIMIZE if sweep.mode == "max" else StudyDirection.MINIMIZE
        study = optuna.create_study(study_name=name, storage=storage, direction=direction)
        study.set_user_attr(AXES, list(sweep.axes))
        study.set_user_attr("metric", sweep.metric)
        study.set_user_attr("folder", str(sweep.folder.resolve()))
    to_write = records if remade else changes.to_write
    study.add_trials([frozen_trial(record, sweep, found) for record in to_write])
    return changes, f"they are in the study {name} of {target}{remade}"


def _check_study(study: optuna.Study, sweep: Sweep, target: str, known: Mapping[str, str]) -> None:
    """Refuse a study that is not one of this sweep, which may have gained axes since.

    Raises:
      UserError: it is another's.
    """
    axes, metric = study.user_attrs.get(AXES), study.user_attrs.get("metric")
    folder = Path(str(study.user_attrs.get("folder")))
    own = {record.key for record in records_of(sweep)}
    if axes is None:
        what = "that no sweep wrote"
    elif not set(axes) <= set(sweep.axes):
        what = f"of other axes: {', '.join(axes)}"
    elif metric != sweep.metric:
        what = f"of another metric: {metric}"
    elif folder.name != sweep.folder.resolve().name or (known and own.isdisjoint(known)):
        what = f"of another sweep: {folder}"
    else:
        return
    raise UserError(
        f"{target} has a study {study.study_name} {what}; give this one another name with "
        "--name NAME."
    )


def _are_compatible(trials: Sequence[FrozenTrial], wanted: Mapping[str, BaseDistribution]) -> bool:
    """Return whether trials with these distributions can be added to those of a study."""
    if any(one.distributions.keys() != wanted.keys() for one in trials):
        return False
    try:
        for axis, distribution in wanted.items():
            for one in trials:
                check_distribution_compatibility(one.distributions[axis], distribution)
    except ValueError:
        return False
    return True


def distributions(sweep: Sweep, records: Sequence[Record]) -> dict[str, BaseDistribution]:
    """Return a distribution for each axis, which holds the labels of all trials.

    It is one of whole numbers or of numbers where all labels are such, else one of choices.
    """
    found: dict[str, BaseDistribution] = {}
    for axis in sweep.axes if records else ():
        labels = [one.trial.settings.get(axis, "") for one in records]
        values = [_number(label) for label in labels]
        if not are_numbers(labels) or not all(map(math.isfinite, values)):
            choices = [*sort_labels(labels), *[UNSET][: "" in labels]]
            found[axis] = CategoricalDistribution(list(dict.fromkeys(choices)))
        elif all(label.lstrip("+-").isdigit() for label in labels):
            found[axis] = IntDistribution(int(min(values)), int(max(values)))
        else:
            found[axis] = FloatDistribution(min(values), max(values))
    return found


def _number(label: str) -> float:
    return float(label) if are_numbers([label]) else math.nan


def _choice(label: str) -> str:
    return label or UNSET


def frozen_trial(
    record: Record, sweep: Sweep, distributions: Mapping[str, BaseDistribution]
) -> FrozenTrial:
    """Return a trial as Optuna keeps it."""
    trial = record.trial
    rows = read_metrics(trial.directory / METRICS_FILE)
    curve = {int(row["step"]): row[sweep.metric] for row in rows if sweep.metric in row}
    best, _ = trial.best_of(sweep.metric)
    status = TrialStatus.FINISHED if trial.completed else trial.status
    state = STATES.get(status, TrialState.FAIL)
    if state == TrialState.COMPLETE and best is None:
        state = TrialState.FAIL
    frozen = create_trial(
        state=state,
        value=best if state == TrialState.COMPLETE else None,
        params={axis: _value(trial.settings.get(axis, ""), d) for axis, d in distributions.items()},
        distributions=dict(distributions),
        user_attrs=_attributes(record),
        intermediate_values=curve,
    )
    ended = rows[-1]["wall_time"] if rows else None
    if ended is not None:
        frozen.datetime_start = datetime.fromtimestamp(ended - trial.seconds)
        frozen.datetime_complete = datetime.fromtimestamp(ended)
    return frozen


def _value(label: str, distribution: BaseDistribution) -> Any:
    if isinstance(distribution, IntDistribution):
        return int(label)
    return float(label) if isinstance(distribution, FloatDistribution) else _choice(label)


def _attributes(record: Record) -> dict[str, Any]:
    trial = record.trial
    return {
        KEY: record.key,
        DIGEST: record.digest,
        "trial": record.name,
        "status": trial.status.value,
        "settings": dict(trial.settings),
        "seconds": trial.seconds,
        "command": trial.train_command,
        **({"error": trial.error} if trial.error else {}),
        **({"tags": list(trial.tags)} if trial.tags else {}),
        **{f"last {tag}": value for tag, value in trial.metrics.items()},
    }
