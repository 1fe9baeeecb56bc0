"""Trials of earlier sweeps as observations of a search (`search.warm_start`)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sweeps.analysis.comparison import read_sweeps
from sweeps.analysis.ranking import best_value
from sweeps.config import SweepConfig
from sweeps.errors import UserError
from sweeps.plan.planner import PlannedTrial
from sweeps.plan.sweep_folder import label_of
from sweeps.search import Dimension, position_of
from sweeps.store import Sweep, Trial
from sweeps.store.fingerprint import common_config, conflicts
from sweeps.store.result import BestValue

MAX_DIFFERENCES = 3
"""Most options that a line names in which an earlier sweep differs."""


@dataclass(frozen=True, kw_only=True)
class WarmTrial:
    """A trial of an earlier sweep, at its position in the search space of this one."""

    position: Sequence[float]
    trial: Trial
    """Its best value is that of this sweep's metric."""


def read_warm_start(
    folders: Sequence[str],
    *,
    folder: Path,
    dimensions: Sequence[Dimension],
    ranking: SweepConfig,
    planned: Sequence[PlannedTrial],
) -> tuple[list[WarmTrial], list[str]]:
    """Read the trials of earlier sweeps that can be placed in the search space.

    A trial can be used if it is finished or has diverged, has a value of the metric, lies on the
    axes, and agrees with this sweep in each axis that this one does not have. The axis of
    replicates does not count.

    Args:
      folders: of the earlier sweeps.
      folder: of this sweep, whose own trials count anyway.
      dimensions: of the search space.
      ranking: metric, mode and replicate axis.
      planned: some trials of this sweep, for the options that it does not sweep.

    Returns:
      The trials, each once; and for each folder a sentence on how many of its trials are used.

    Raises:
      UserError: a folder holds no sweep, or none of its trials can be used; or it is this sweep's.
    """
    found: dict[str, WarmTrial] = {}
    notices = []
    keys = [axis.key for dimension in dimensions for axis in dimension.axes]
    for sweep in read_sweeps(folders):
        if sweep.folder.resolve() == folder.resolve():
            raise UserError(
                f"search.warm_start names {sweep.folder}, this sweep's own folder, whose trials "
                "count anyway; leave it out."
            )
        if missing := [key for key in keys if key not in sweep.axes]:
            raise UserError(
                f"{sweep.folder} has no axis {' and '.join(missing)}; none of its "
                f"{len(sweep.trials)} trials can be used; leave it out of search.warm_start."
            )
        kept, left_out = _usable(sweep, dimensions, keys, ranking, planned[0])
        reasons = ", ".join(f"{count} {reason}" for reason, count in left_out.items())
        if not kept:
            raise UserError(
                f"none of the {len(sweep.trials)} trials in {sweep.folder} can be used"
                f"{f' ({reasons})' if reasons else ''}; leave it out of search.warm_start."
            )
        notices.append(_notice(sweep, len(kept), reasons, _differences(sweep, keys, planned)))
        for one in kept:
            found.setdefault(one.trial.fingerprint, one)
    return list(found.values()), notices


def _usable(
    sweep: Sweep,
    dimensions: Sequence[Dimension],
    keys: Sequence[str],
    ranking: SweepConfig,
    planned: PlannedTrial,
) -> tuple[list[WarmTrial], Mapping[str, int]]:
    """The trials that can be used, and how many cannot, by reason."""
    left_out: Counter[str] = Counter()
    kept = []
    spec = planned.spec
    replicates = {sweep.replicate, ranking.replicate}
    fixed = {
        key: label_of(key, spec.config, spec.choices)
        for key in sweep.axes
        if key not in keys and key not in replicates
    }
    for trial in sweep.trials:
        position = position_of(dimensions, trial.settings)
        others = [key for key, text in fixed.items() if trial.settings.get(key) != text]
        value, step = best_value(trial, ranking.metric, ranking.mode, sweep.mode == ranking.mode)
        if not trial.done:
            left_out["not finished"] += 1
        elif position is None:
            left_out["not on the axes"] += 1
        elif others:
            left_out[f"with another {others[0]}"] += 1
        elif value is None or step is None:
            left_out[f"without a value of {ranking.metric}"] += 1
        else:
            best = BestValue(metric=ranking.metric, value=value, step=step)
            kept.append(WarmTrial(position=position, trial=replace(trial, best=best)))
    return kept, left_out


def _differences(sweep: Sweep, keys: Sequence[str], planned: Sequence[PlannedTrial]) -> list[str]:
    """Options in which the earlier sweep differs from this one, though neither sweeps them."""
    now = common_config((one.identity for one in planned), keys)
    known = sweep.common_config
    return [f"{key}={known[key]} (now {now[key]})" for key in conflicts(known, now, keys)]


def _notice(sweep: Sweep, kept: int, reasons: str, differences: Sequence[str]) -> str:
    line = f"The search knows {kept} of {len(sweep.trials)} trials in {sweep.folder}"
    if reasons:
        line += f" ({reasons})"
    if differences:
        more = len(differences) - MAX_DIFFERENCES
        line += f", where {', '.join(differences[:MAX_DIFFERENCES])}"
        line += f" and {more} more differ" if more > 0 else ""
    return f"{line}."
