"""`sweep.preview=true`: what a sweep would run and cost; nothing is run or written."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sweeps.config.hooks import locate
from sweeps.plan.cost import Cost
from sweeps.plan.packs import Pack
from sweeps.plan.pending import SweepPlan
from sweeps.plan.preview_table import TrialPreview, print_preview
from sweeps.plan.sweep_folder import SweepFolder
from sweeps.search.samplers import all_settings
from sweeps.tune import cluster


def preview(agenda: SweepPlan) -> None:
    """Show what `driver.run` would do.

    Raises:
      UserError: bad input.
    """
    _ = agenda.packer
    shelf, options = agenda.shelf(), agenda.options
    gpus = options.sweep.gpus_per_trial
    # Ray, where there is a cluster to be asked, before JAX: it starts processes by forking.
    slots = cluster.slots(options.ray.address, options.sweep.cpus_per_trial, gpus)
    costs = _costs(agenda)
    lines = _search_lines(agenda, shelf) if agenda.searching else _lines(agenda, shelf, costs)
    wanted = options.search.trials or 0
    print_preview(
        agenda.console,
        lines,
        slots,
        packs=_packs(agenda, lines, slots),
        unknown=max(0, wanted - len(lines)) if agenda.searching else 0,
        samples=[cost for cost in costs if cost] if agenda.searching else (),
        linked=options.sweep.zip,
        exclude=options.sweep.exclude,
        excluded=_excluded(agenda),
    )


def _lines(
    agenda: SweepPlan, shelf: SweepFolder, costs: Sequence[Cost | None]
) -> list[TrialPreview]:
    lines = []
    elsewhere = {
        planned.spec.fingerprint: trial.directory.parent.name
        for planned, trial in agenda.elsewhere(shelf)
    }
    for planned, cost in zip(agenda.planned, costs, strict=True):
        trial, sweep = shelf.find(planned), elsewhere.get(planned.spec.fingerprint)
        lines.append(
            TrialPreview(shelf.settings(planned), trial, cost, agenda.is_done(trial), sweep)
        )
    return lines


def _search_lines(agenda: SweepPlan, shelf: SweepFolder) -> list[TrialPreview]:
    """The trials that an Optuna search has already."""
    return [
        TrialPreview(trial.settings, trial, None, agenda.is_done(trial)) for trial in shelf.trials
    ]


def _costs(agenda: SweepPlan) -> list[Cost | None]:
    """What each planned trial takes, as far as the application can tell."""
    application, sweep = agenda.application, agenda.options.sweep
    configs: list[Mapping[str, Any]] = [planned.spec.config for planned in agenda.planned]
    if application.estimate is None:
        return [None] * len(configs)
    if application.environment:  # as a trial would have it, before its libraries load
        os.environ.update(locate(application.environment)(sweep.cpus_per_trial, _gpus(agenda)))
    return list(locate(application.estimate)(configs))


def _packs(agenda: SweepPlan, lines: Sequence[TrialPreview], slots: int) -> list[Pack]:
    """Who of the trials that are to be run trains together; nothing where none does."""
    if agenda.packer is None:
        return []
    left = [place for place, line in enumerate(lines) if line.runs]
    configs = [agenda.planned[place].spec.config for place in left]
    cpus, gpus = agenda.options.sweep.cpus_per_trial, _gpus(agenda)
    packs = agenda.packer.packs(configs, slots, cpus, gpus)
    found = [replace(pack, members=tuple(left[at] for at in pack.members)) for pack in packs]
    return found if any(pack.together for pack in found) else []


def _gpus(agenda: SweepPlan) -> float:
    """Of a trial, as far as this machine tells."""
    gpus = agenda.options.sweep.gpus_per_trial
    return float(cluster.local_gpus() > 0) if gpus is None else gpus


def _excluded(agenda: SweepPlan) -> int:
    """How many settings of a grid `sweep.exclude` leaves out; 0 of a search."""
    space, sweep, search = agenda.planner.space, agenda.options.sweep, agenda.options.search
    if search.kind != "grid" or not sweep.exclude:
        return 0
    every, left = (all_settings(space, search, sweep.zip, rules) for rules in ((), sweep.exclude))
    return len(every) - len(left)
