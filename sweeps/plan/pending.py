"""What is left of a sweep: which trials there are to be, and which of them are done."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from rich.console import Console

from sweeps.config.application import Application
from sweeps.config.hooks import locate, source_folder
from sweeps.config.options import FrameworkConfig
from sweeps.errors import UserError
from sweeps.io.mirror import Mirror, without_checkpoints
from sweeps.labels import parse_number
from sweeps.plan.packs import Packer, build_packer
from sweeps.plan.planner import PlannedTrial, Planner
from sweeps.plan.population import population_values
from sweeps.plan.reuse import reuse_trial, trained_in_other_sweeps
from sweeps.plan.sweep_folder import SweepFolder
from sweeps.search.samplers import (
    Dimension,
    all_settings,
    dimensions,
    exclusion_rule,
    position_of,
    setting_at,
)
from sweeps.search.space import Axis
from sweeps.store.provenance import Provenance, collect
from sweeps.store.status import STUCK_FILE
from sweeps.store.trial import Trial, read_config, write_trial

PROBES = 4
"""Random settings that stand for all trials of an Optuna search before there are any."""


@dataclass(frozen=True)
class PendingTrials:
    """Trials to run, and what the schedulers and searchers need to know of earlier ones."""

    directories: Sequence[Path]
    """Folders of known trials, with distinct names."""
    kept: int
    """Trials that are done already."""
    earlier: Sequence[Trial] = ()
    """Those that were run by this program before, done."""
    values: Mapping[Path, Mapping[str, float]] = field(default_factory=dict)
    """Of a population: each trial's numbers that may change."""
    axes: Mapping[str, Axis] = field(default_factory=dict)
    """Of a population: along what they change."""
    place: Callable[[Sequence[float]], Path | None] | None = None
    """Of an Optuna search: position of each dimension -> folder made for a trial; None: excluded,
    or known already."""
    dimensions: Sequence[Dimension] = ()
    """Of an Optuna search."""
    places: Sequence[Sequence[float]] = ()
    """Of an Optuna search: the positions of `earlier`."""
    packer: Packer | None = None
    """Who trains together; None: each trial is trained alone."""
    halvings: Mapping[str, int] = field(default_factory=dict)
    """Name of a trial -> how often its pack has shown to be too wide."""
    wanted: int = 0
    """Of an Optuna search: trials in the end."""

    @property
    def left(self) -> int:
        """Trials that are to be run."""
        return self.total - self.kept

    @property
    def total(self) -> int:
        """Trials in the end, those that are done already included."""
        return max(self.wanted, self.kept + len(self.directories))


@dataclass(frozen=True)
class SweepPlan:
    """A sweep before it runs."""

    folder: Path
    planner: Planner
    options: FrameworkConfig
    application: Application
    console: Console
    mirror: Mirror | None = None
    """Of the URL that keeps the results; None: the folder does."""

    @cached_property
    def planned(self) -> list[PlannedTrial]:
        """All trials, as they are to start; a few random ones where Optuna is to find them."""
        space, sweep, search = self.planner.space, self.options.sweep, self.options.search
        if self.searching:
            search = replace(search, kind="random", trials=PROBES)
        found = self.planner.trials(all_settings(space, search, sweep.zip, sweep.exclude))
        return self._longest_first(found) if sweep.longest_first else found

    def _longest_first(self, trials: list[PlannedTrial]) -> list[PlannedTrial]:
        """Sorted, where that changes no more than the order: the same trials run to the end."""
        compared = self.searching or self.options.scheduler.kind != "none"
        if self.application.relative_cost is None or compared:
            return trials
        effort = locate(self.application.relative_cost)
        return sorted(trials, key=lambda trial: float(effort(trial.spec.config)), reverse=True)

    @property
    def searching(self) -> bool:
        """Whether a search makes up the trials as it learns."""
        return self.options.search.kind == "optuna"

    @cached_property
    def mutable(self) -> dict[str, Axis]:
        """The axes along which a population's trials move; none of another sweep.

        Raises:
          UserError: it is a population, and there are none; or Optuna is to lead it.
        """
        if self.options.scheduler.kind != "pbt":
            return {}
        able, axes = self.application.schedulable, self.planner.space.axes
        found = {axis.key: axis for axis in axes if axis.key in able}
        if not found or self.application.schedule_option is None:
            raise UserError(
                "scheduler=pbt changes numbers of running trials, and no axis is one that can "
                f"change; sweep over one of: {', '.join(able) or 'none in this program'}."
            )
        if self.searching:
            raise UserError("scheduler=pbt searches by itself; take search=random or search=grid.")
        for key, axis in found.items():
            if words := [value.label for value in axis.values if parse_number(value.label) is None]:
                raise UserError(
                    f"scheduler=pbt changes numbers, and {key}={words[0]} is none; leave it out."
                )
        return found

    def shelf(self) -> SweepFolder:
        """Open the folder.

        Raises:
          UserError: it holds trials of another configuration.
        """
        population = bool(self.mutable)
        axes = self.planner.space.axes
        move = self.mirror.move if self.mirror else Path.rename
        return SweepFolder(self.folder, axes, self.planned, self.options.sweep, population, move)

    def is_done(self, trial: Trial | None) -> bool:
        """Whether nothing is left to compute under the present options."""
        minutes = self.options.sweep.trial_minutes
        limit = None if minutes is None else 60 * minutes
        return trial is not None and trial.is_over(self.options.scheduler.kind, limit)

    @cached_property
    def packer(self) -> Packer | None:
        """Who trains together; None: each trial is trained alone.

        Raises:
          UserError: packs are asked of a program that trains its trials one by one.
        """
        return build_packer(self.options, self.application)

    def job(self, shelf: SweepFolder) -> PendingTrials:
        """Make or refresh the folders of all that is left to run."""
        return self._search(shelf) if self.searching else self._list(shelf)

    def _list(self, shelf: SweepFolder) -> PendingTrials:
        self._adopt(shelf)
        left = [trial for trial in self.planned if not self.is_done(shelf.find(trial))]
        folders = [self._prepare(shelf, trial) for trial in left]
        keys, changes = list(self.mutable), self.application.schedule_option or ""
        return PendingTrials(
            folders,
            kept=len(self.planned) - len(left),
            values={
                path: population_values(read_config(path), changes, keys)
                for path in folders
                if keys
            },
            axes=self.mutable,
            earlier=[trial for trial in shelf.trials if self.is_done(trial)],
            packer=self.packer,
        )

    def elsewhere(self, shelf: SweepFolder) -> list[tuple[PlannedTrial, Trial]]:
        """Trials that are missing here, and that sweeps beside this one have trained already."""
        if self.options.sweep.fresh or self.mutable or self.mirror:
            return []
        missing = [trial for trial in self.planned if shelf.find(trial) is None]
        found = trained_in_other_sweeps(self.folder, {trial.spec.fingerprint for trial in missing})
        there = [(trial, found.get(trial.spec.fingerprint)) for trial in missing]
        return [(trial, one) for trial, one in there if one]

    def _adopt(self, shelf: SweepFolder) -> None:
        """Copy what sweeps beside this one have trained already."""
        for trial, there in self.elsewhere(shelf):
            reuse_trial(there, shelf.path(trial), shelf.settings(trial), shelf.sweep.as_text)
            shelf.add(trial)
            self.console.print(f"copied {there.directory}", highlight=False, soft_wrap=True)

    def _search(self, shelf: SweepFolder) -> PendingTrials:
        """Trials that an earlier run began, and those that Optuna is yet to find."""
        space = self.planner.space
        excluded = exclusion_rule(space, self.options.sweep.exclude)
        placed = [(position_of(self.dimensions, trial.settings), trial) for trial in shelf.trials]
        inside = [(place, trial) for place, trial in placed if place is not None]
        earlier = [(place, trial) for place, trial in inside if self.is_done(trial)]
        began = [trial.directory.absolute() for _, trial in inside if not self.is_done(trial)]

        def place(at: Sequence[float]) -> Path | None:
            setting = setting_at(space, self.dimensions, at)
            if excluded(setting):
                return None
            planned = self.planner.trial(setting)
            return None if shelf.find(planned) else self._prepare(shelf, planned)

        assert self.options.search.trials is not None
        return PendingTrials(
            began,
            kept=len(earlier),
            earlier=[trial for _, trial in earlier],
            places=[at for at, _ in earlier],
            dimensions=self.dimensions,
            place=place,
            wanted=self.options.search.trials,
        )

    @cached_property
    def dimensions(self) -> list[Dimension]:
        """Axes, and those that step together."""
        return dimensions(self.planner.space, self.options.sweep.zip)

    def _prepare(self, shelf: SweepFolder, planned: PlannedTrial) -> Path:
        """Make or refresh the folder of a trial that is to be run."""
        path, trial = shelf.path(planned), shelf.find(planned)
        (path / STUCK_FILE).unlink(missing_ok=True)
        if trial is None or trial.fingerprint == planned.spec.fingerprint:
            spec = replace(
                planned.spec, settings=shelf.settings(planned), as_text=shelf.sweep.as_text
            )
            write_trial(path, spec, self._provenance)
        if trial is None:
            shelf.add(planned)
        if self.mirror:
            self.mirror.push(path.relative_to(self.mirror.local).as_posix(), without_checkpoints)
        return path.absolute()

    @cached_property
    def _provenance(self) -> Provenance:
        return collect(source_folder(self.application.objective))
