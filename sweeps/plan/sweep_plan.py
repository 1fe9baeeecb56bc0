"""A sweep before it runs: which trials there are to be, and which of them are left to run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from rich.console import Console

from sweeps.config import (
    Application,
    CustomSchedulerConfig,
    FrameworkConfig,
    check_application,
    check_tags,
    locate,
    locate_option,
    objectives_of,
    program_files,
    source_folder,
)
from sweeps.errors import UserError
from sweeps.io.console import print_line
from sweeps.io.mirror import Mirror, without_checkpoints
from sweeps.io.retry import warn
from sweeps.labels import parse_number
from sweeps.plan.packs import Packer, build_packer
from sweeps.plan.pending import AdaptiveSearch, PendingTrials, Population
from sweeps.plan.planner import PlannedTrial, Planner
from sweeps.plan.population import population_values
from sweeps.plan.reuse import reuse_trial, trained_in_other_sweeps
from sweeps.plan.sweep_folder import SweepFolder
from sweeps.plan.warm_start import WarmTrial, read_warm_start
from sweeps.search import (
    Axis,
    Dimension,
    all_settings,
    dimensions,
    exclusion_rule,
    first_positions,
    position_of,
    setting_at,
)
from sweeps.store import Provenance, Trial, read_config, write_trial
from sweeps.store.provenance import changed_files, collect, hashes, read_provenance
from sweeps.store.status import STUCK_FILE
from sweeps.store.trial import mend_definition

PROBES = 4
"""Random settings that stand for all trials of an adaptive search before there are any."""


@dataclass(frozen=True, kw_only=True)
class SweepPlan:
    """A sweep whose options and trials are checked. `plan_sweep` makes it."""

    folder: Path
    planner: Planner
    options: FrameworkConfig
    application: Application
    console: Console
    mirror: Mirror | None
    """Mirrors the folder at a URL that keeps the results; None: the folder keeps them."""
    population_axes: Mapping[str, Axis]
    """Axes along which population based training moves the trials; empty: it is not used."""
    packer: Packer | None
    """None: each trial is trained alone."""
    trials: Sequence[PlannedTrial]
    """All trials in the order in which they start. For an adaptive search, a few random ones."""
    warm_start: Sequence[WarmTrial] = ()
    """Trials of earlier sweeps that an adaptive search learns from."""

    @property
    def is_adaptive(self) -> bool:
        """Whether a search suggests the trials as it learns."""
        return self.options.search.is_adaptive

    def open_folder(self) -> SweepFolder:
        """Read the sweep's folder, which need not exist.

        Raises:
          UserError: it holds trials of another configuration.
        """
        return SweepFolder(
            self.folder,
            axes=self.planner.space.axes,
            planned=self.trials,
            options=self.options.sweep,
            population=bool(self.population_axes),
            move=self.mirror.move if self.mirror else Path.rename,
        )

    def is_done(self, trial: Trial | None) -> bool:
        """Whether nothing is left to compute of a trial under the present options."""
        minutes = self.options.sweep.trial_minutes
        limit = None if minutes is None else 60 * minutes
        return trial is not None and trial.is_over(self.options.scheduler.kind, limit)

    def pending_trials(self, folder: SweepFolder) -> PendingTrials:
        """Make or refresh the folders of all trials that are left to run."""
        return self._pending_search(folder) if self.is_adaptive else self._pending_list(folder)

    def reusable(self, folder: SweepFolder) -> list[tuple[PlannedTrial, Trial]]:
        """Trials that are missing here, each with its finished twin in a sweep beside this one."""
        if self.options.sweep.fresh or self.population_axes or self.mirror:
            return []
        missing = [trial for trial in self.trials if folder.find(trial) is None]
        found = trained_in_other_sweeps(self.folder, {trial.spec.fingerprint for trial in missing})
        pairs = [(trial, found.get(trial.spec.fingerprint)) for trial in missing]
        return [(trial, twin) for trial, twin in pairs if twin]

    @cached_property
    def dimensions(self) -> list[Dimension]:
        """The axes, joined where `sweep.zip` has them step together."""
        return dimensions(self.planner.space, self.options.sweep.zip)

    def _pending_list(self, folder: SweepFolder) -> PendingTrials:
        self._reuse(folder)
        left = [trial for trial in self.trials if not self.is_done(folder.find(trial))]
        for trial in self.trials:
            self._mend(folder, trial)
        directories = [self._prepare(folder, trial) for trial in left]
        self._tell_edited(folder)
        return PendingTrials(
            directories=directories,
            num_done=len(self.trials) - len(left),
            history=[trial for trial in folder.trials if self.is_done(trial)],
            population=self._population(directories) if self.population_axes else None,
            packer=self.packer,
        )

    def _population(self, directories: Sequence[Path]) -> Population:
        keys, option = list(self.population_axes), self.application.schedule_option or ""
        values = {path: population_values(read_config(path), option, keys) for path in directories}
        return Population(axes=self.population_axes, values=values)

    def _reuse(self, folder: SweepFolder) -> None:
        """Copy the trials that sweeps beside this one have trained."""
        for trial, twin in self.reusable(folder):
            reuse_trial(twin, folder.path(trial), folder.settings(trial), folder.sweep.text_axes)
            folder.add(trial)
            print_line(self.console, f"copied {twin.directory}")

    def _pending_search(self, folder: SweepFolder) -> PendingTrials:
        """Trials that an earlier run began, and those that are yet to be suggested."""
        space = self.planner.space
        is_excluded = exclusion_rule(space, self.options.sweep.exclude)
        positions = [(position_of(self.dimensions, one.settings), one) for one in folder.trials]
        inside = [(position, trial) for position, trial in positions if position is not None]
        done = [(position, trial) for position, trial in inside if self.is_done(trial)]
        begun = [trial.directory.absolute() for _, trial in inside if not self.is_done(trial)]

        def make_trial(position: Sequence[float]) -> Path | None:
            setting = setting_at(space, self.dimensions, position)
            if is_excluded(setting):
                return None
            planned = self.planner.trial(setting)
            return None if folder.find(planned) else self._prepare(folder, planned)

        own = {trial.fingerprint for trial in folder.trials}
        warm = [one for one in self.warm_start if one.trial.fingerprint not in own]
        assert self.options.search.trials is not None
        return PendingTrials(
            directories=begun,
            num_done=len(done),
            history=[trial for _, trial in done],
            search=AdaptiveSearch(
                dimensions=self.dimensions,
                history_positions=[position for position, _ in done],
                make_trial=make_trial,
                num_trials=self.options.search.trials,
                firsts=first_positions(space, self.dimensions, self.options.search.first),
                warm_start=[(one.position, one.trial) for one in warm],
            ),
        )

    def _mend(self, folder: SweepFolder, planned: PlannedTrial) -> None:
        """Write the configuration of a trial that is not run again anew, if it is damaged."""
        trial = folder.find(planned)
        if trial is None or not self.is_done(trial):
            return
        if trial.fingerprint == planned.spec.fingerprint and mend_definition(
            trial.directory, planned.spec
        ):
            warn(f"The configuration in {trial.directory} was damaged; it is written anew.")
            self._push(trial.directory)

    def _tell_edited(self, folder: SweepFolder) -> None:
        """Say so if the program's files are not those with which a done trial was trained."""
        objective = self.application.objective
        done = next((trial for trial in folder.trials if self.is_done(trial)), None)
        if done is not None and (files := program_files(objective)):
            recorded = read_provenance(done.directory).facts.get("files") or {}
            tell_edited(recorded, hashes(source_folder(objective), files), self.console)

    def _push(self, directory: Path) -> None:
        if self.mirror:
            below = directory.relative_to(self.mirror.local).as_posix()
            self.mirror.push(below, without_checkpoints)

    def _prepare(self, folder: SweepFolder, planned: PlannedTrial) -> Path:
        """Make or refresh the folder of a trial that is to be run."""
        path, trial = folder.path(planned), folder.find(planned)
        (path / STUCK_FILE).unlink(missing_ok=True)
        if trial is None or trial.fingerprint == planned.spec.fingerprint:
            settings, text_axes = folder.settings(planned), folder.sweep.text_axes
            spec = replace(planned.spec, settings=settings, text_axes=text_axes)
            write_trial(path, spec, self._provenance)
        if trial is None:
            folder.add(planned)
        self._push(path)
        return path.absolute()

    @cached_property
    def _provenance(self) -> Provenance:
        return collect(
            source_folder(self.application.objective), program_files(self.application.objective)
        )


def tell_edited(recorded: Mapping[str, str], now: Mapping[str, str], console: Console) -> None:
    """Say which files have been edited since trials that are kept were trained.

    Args:
      recorded: hashes of the files when they were trained, by name.
      now: hashes of the present ones.
      console: where it is said.
    """
    if edited := changed_files(recorded, now):
        sentence = (
            f"{', '.join(edited)} was edited since what is done before was trained; "
            "sweep.fresh=true trains all again."
        )
        print_line(console, sentence, style="yellow")


def plan_sweep(
    *,
    folder: Path,
    planner: Planner,
    options: FrameworkConfig,
    application: Application,
    console: Console,
    mirror: Mirror | None = None,
) -> SweepPlan:
    """Check the options of a sweep and compose its trials. Nothing is written.

    Args:
      folder: the sweep's.
      planner: composes and checks a trial.
      options: of the sweep, its search and its scheduler.
      application: the program that is swept.
      console: for what the sweep says.
      mirror: of the URL that keeps the results; None: the folder does.

    Raises:
      UserError: options contradict each other, a trial's configuration is invalid, or the program
        has no function that `hydra.sweeper` names.
    """
    check_application(application)
    _check_named(planner, options)
    population_axes = _population_axes(planner, options, application)
    trials = _plan_trials(planner, options, application, console)
    warm_start = _warm_start(folder, planner, options, trials, console)
    return SweepPlan(
        folder=folder,
        planner=planner,
        options=options,
        application=application,
        console=console,
        mirror=mirror,
        population_axes=population_axes,
        packer=build_packer(options, application),
        trials=trials,
        warm_start=warm_start,
    )


def _check_named(planner: Planner, options: FrameworkConfig) -> None:
    """Refuse what options name by dotted path and cannot be imported, and a sampler that is not.

    Raises:
      UserError: there is such.
    """
    search, scheduler = options.search, options.scheduler
    for path in options.ray.callbacks:
        locate_option("ray.callbacks", path)
    if isinstance(scheduler, CustomSchedulerConfig):
        locate_option("scheduler.kind", scheduler.kind)
    if search.is_own:
        locate_option("search.kind", search.kind)
    elif search.is_adaptive:
        from sweeps.search.optuna_study import check_sampler

        found = dimensions(planner.space, options.sweep.zip)
        check_sampler(found, search, objectives_of(options.sweep))


def _warm_start(
    folder: Path,
    planner: Planner,
    options: FrameworkConfig,
    trials: Sequence[PlannedTrial],
    console: Console,
) -> Sequence[WarmTrial]:
    """Read the trials of `search.warm_start`, and say how many of each folder can be used."""
    if not options.search.warm_start:
        return ()
    found, notices = read_warm_start(
        options.search.warm_start,
        folder=folder,
        dimensions=dimensions(planner.space, options.sweep.zip),
        ranking=options.sweep,
        planned=trials,
    )
    for notice in notices:
        print_line(console, notice)
    return found


def _plan_trials(
    planner: Planner, options: FrameworkConfig, application: Application, console: Console
) -> Sequence[PlannedTrial]:
    """Compose all trials; for an adaptive search, a few random ones."""
    sweep, search = options.sweep, options.search
    if options.search.is_adaptive:
        search = replace(search, kind="random", trials=PROBES + len(search.first))
    planned = planner.trials(all_settings(planner.space, search, sweep.zip, sweep.exclude))
    trials = planned.trials
    if application.metrics is not None:
        reports_of = locate(application.metrics)
        for trial in trials:
            check_tags(reports_of(trial.spec.config), sweep, options.scheduler)
    if planned.notice and not options.search.is_adaptive:
        print_line(console, planned.notice)
    # Searches and schedulers compare running trials: another order would train other ones.
    is_ordered = options.search.is_adaptive or search.first or options.scheduler.kind != "none"
    if application.relative_cost is None or is_ordered or not sweep.longest_first:
        return trials
    relative_cost = locate(application.relative_cost)
    return sorted(trials, key=lambda one: float(relative_cost(one.spec.config)), reverse=True)


def _population_axes(
    planner: Planner, options: FrameworkConfig, application: Application
) -> dict[str, Axis]:
    """The axes along which population based training moves the trials; empty: it is not used.

    Raises:
      UserError: it is asked for, and no axis can change during training; or Optuna is, too.
    """
    if options.scheduler.kind != "pbt":
        return {}
    schedulable = application.schedulable
    found = {axis.key: axis for axis in planner.space.axes if axis.key in schedulable}
    if not found or application.schedule_option is None:
        raise UserError(
            "scheduler=pbt changes numbers of running trials, and no axis is one that can "
            f"change; sweep over one of: {', '.join(schedulable) or 'none in this program'}."
        )
    if options.search.is_adaptive:
        raise UserError("scheduler=pbt searches by itself; take search=random or search=grid.")
    for key, axis in found.items():
        if words := [value.label for value in axis.values if parse_number(value.label) is None]:
            raise UserError(
                f"scheduler=pbt changes numbers, and {key}={words[0]} is none; leave it out."
            )
    return found
