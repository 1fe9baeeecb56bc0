"""`sweep.preview=true`: shows what a sweep would run and cost. Nothing is run or written."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sweeps.config import locate
from sweeps.plan import Cost, SweepPlan
from sweeps.plan.packs import Pack
from sweeps.plan.preview_table import TrialPreview, print_preview
from sweeps.plan.sweep_folder import SweepFolder
from sweeps.search import all_settings
from sweeps.tune import cluster


def preview_sweep(plan: SweepPlan) -> None:
    """Print what `driver.run_sweep` would do.

    Raises:
      UserError: bad input.
    """
    folder, options = plan.open_folder(), plan.options
    gpus = options.sweep.gpus_per_trial
    # Ray, where there is a cluster to be asked, before JAX: it starts processes by forking.
    slots = cluster.slots(options.ray.address, options.sweep.cpus_per_trial, gpus)
    costs = _costs(plan)
    lines = _known_trials(plan, folder) if plan.is_adaptive else _all_trials(plan, folder, costs)
    num_unknown = max(0, (options.search.trials or 0) - len(lines)) if plan.is_adaptive else 0
    print_preview(
        plan.console,
        lines,
        slots,
        packs=_packs(plan, lines, slots),
        num_unknown=num_unknown,
        sample_costs=[cost for cost in costs if cost] if plan.is_adaptive else (),
        zipped=options.sweep.zip,
        exclude=options.sweep.exclude,
        num_excluded=_num_excluded(plan),
        keep_checkpoints=options.sweep.keep_checkpoints,
    )


def _all_trials(
    plan: SweepPlan, folder: SweepFolder, costs: Sequence[Cost | None]
) -> list[TrialPreview]:
    lines = []
    sweep_of = {
        planned.spec.fingerprint: twin.directory.parent.name
        for planned, twin in plan.reusable(folder)
    }
    for planned, cost in zip(plan.trials, costs, strict=True):
        trial = folder.find(planned)
        line = TrialPreview(
            settings=folder.settings(planned),
            command=planned.spec.train_command,
            earlier=trial,
            cost=cost,
            done=plan.is_done(trial),
            copied_from=sweep_of.get(planned.spec.fingerprint),
        )
        lines.append(line)
    return lines


def _known_trials(plan: SweepPlan, folder: SweepFolder) -> list[TrialPreview]:
    """The trials that an Optuna search has already."""
    return [
        TrialPreview(
            settings=trial.settings,
            command=trial.train_command,
            earlier=trial,
            done=plan.is_done(trial),
        )
        for trial in folder.trials
    ]


def _costs(plan: SweepPlan) -> list[Cost | None]:
    """The cost of each planned trial, where the application can estimate it."""
    application, sweep = plan.application, plan.options.sweep
    configs: list[Mapping[str, Any]] = [planned.spec.config for planned in plan.trials]
    if application.estimate is None:
        return [None] * len(configs)
    if application.environment:  # as in a worker, before libraries load
        os.environ.update(locate(application.environment)(sweep.cpus_per_trial, _gpus(plan)))
    return list(locate(application.estimate)(configs))


def _packs(plan: SweepPlan, lines: Sequence[TrialPreview], slots: int) -> list[Pack]:
    """The packs of the trials that are to be run, as indices of `lines`; empty: all train alone."""
    if plan.packer is None or plan.is_adaptive:
        return []
    left = [index for index, line in enumerate(lines) if line.will_run]
    packs = plan.packer.packs(
        [plan.trials[index].spec.config for index in left],
        slots=slots,
        cpus=plan.options.sweep.cpus_per_trial,
        gpus=_gpus(plan),
    )
    found = [replace(pack, lanes=tuple(left[lane] for lane in pack.lanes)) for pack in packs]
    return found if any(pack.vectorized for pack in found) else []


def _gpus(plan: SweepPlan) -> float:
    """GPUs of a trial, as far as this machine shows."""
    gpus = plan.options.sweep.gpus_per_trial
    return float(cluster.local_gpus() > 0) if gpus is None else gpus


def _num_excluded(plan: SweepPlan) -> int:
    """Count the settings of a grid that `sweep.exclude` leaves out; 0 for a search."""
    space, sweep, search = plan.planner.space, plan.options.sweep, plan.options.search
    if search.kind != "grid" or not sweep.exclude:
        return 0
    every = all_settings(space, search, sweep.zip, ())
    return len(every) - len(all_settings(space, search, sweep.zip, sweep.exclude))
