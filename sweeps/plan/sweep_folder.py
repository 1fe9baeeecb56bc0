"""A sweep's folder, which holds all of its state: which trials are in it, and where one goes.

`sweep.json` has the axes of all sweeps that filled the folder, how they rank trials, and the
configuration that all trials share. A trial is known by its fingerprint, whatever its folder is
called. Runs that TensorBoard shows beside trials (`sweeps.tensorboard.replicate_runs`) have none.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sweeps.config import SweepConfig
from sweeps.errors import UserError
from sweeps.io.atomic import cannot_write, make_directory
from sweeps.io.retry import warn_once
from sweeps.naming import digits_needed, label, short_keys, trial_name
from sweeps.plan.planner import PlannedTrial
from sweeps.search import Axis
from sweeps.store import Sweep, Trial, TrialStatus, read_config, read_sweep, read_trial
from sweeps.store.fingerprint import common_config, conflicts, intersection
from sweeps.store.sweep import SWEEP_FILE, DamagedSweepError, recover_sweep, write_sweep
from sweeps.store.trial import DamagedFileError, update_trial
from sweeps.tensorboard.hparams import have_mixed_types, rewrite_hparams
from sweeps.tensorboard.recovery import restore_damaged_metrics


class SweepFolder:
    """Finds and makes the folders of a sweep's trials."""

    def __init__(
        self,
        folder: Path,
        *,
        axes: Sequence[Axis],
        planned: Sequence[PlannedTrial],
        options: SweepConfig,
        population: bool = False,
        move: Callable[[Path, Path], object] = Path.rename,
    ) -> None:
        """Read a sweep's folder, which need not exist. Nothing is written.

        Args:
          folder: the sweep's.
          axes: what this command sweeps.
          planned: some or all of its trials; what they have in common is compared.
          options: how trials are ranked.
          population: whether trials may change while they run, so that they are known by the
            fingerprint that they started with.
          move: renames a trial's folder.

        Raises:
          UserError: the folder holds trials of another configuration, or of another format.
        """
        earlier = _read(folder)
        keys = tuple(dict.fromkeys([*earlier.axes, *(axis.key for axis in axes)]))
        common, known = (
            common_config((one.identity for one in planned), keys),
            earlier.common_config,
        )
        if changed := conflicts(known, common, keys):
            there = ", ".join(f"{key}={known[key]} (now {common[key]})" for key in changed)
            raise UserError(
                f"{folder} holds trials of another configuration: {there}; give this sweep another "
                "folder with sweep.name=NAME, or move that one aside with sweep.fresh=true."
            )
        self.sweep = Sweep(
            folder=folder,
            axes=keys,
            metric=options.metric,
            mode=options.mode,
            replicate=options.replicate,
            objectives=tuple(options.objectives),
            common_config=intersection(known, common) if known else common,
            text_axes=tuple(
                key
                for key in keys
                if key in earlier.text_axes or _is_mixed(key, axes, earlier.trials)
            ),
        )
        self._short_keys = short_keys(list(keys))
        self._population = population
        self._move = move
        self._trials = {self._key(trial): trial for trial in earlier.trials}
        self._earlier = earlier
        fingerprints = [one.planned_fingerprint for one in earlier.trials]
        fingerprints += [one.spec.planned_fingerprint for one in planned]
        self._digits = digits_needed(fingerprints)

    @property
    def folder(self) -> Path:
        """The sweep's folder."""
        return self.sweep.folder

    def find(self, planned: PlannedTrial) -> Trial | None:
        """The trial's folder as it stands; None where it has none."""
        spec = planned.spec
        key = spec.planned_fingerprint if self._population else spec.fingerprint
        return self._trials.get(key)

    @property
    def trials(self) -> list[Trial]:
        """All trials that have a folder."""
        return list(self._trials.values())

    def add(self, planned: PlannedTrial) -> None:
        """Note that a trial's folder was made."""
        trial = read_trial(self.path(planned))
        self._trials[self._key(trial)] = trial

    def path(self, planned: PlannedTrial) -> Path:
        """The folder that a trial has, or is to have."""
        if trial := self.find(planned):
            return trial.directory
        return self.folder / self._name(self.settings(planned), planned.spec.planned_fingerprint)

    def settings(self, planned: PlannedTrial) -> dict[str, str]:
        """The trial's label on every axis of the folder."""
        spec = planned.spec
        return {
            key: spec.settings.get(key) or label_of(key, spec.config, spec.choices)
            for key in self.sweep.axes
        }

    def write(self) -> None:
        """Write `sweep.json`, and rename earlier trials after the axes.

        Damaged metrics of trials that have ended are made anew from their event files.

        Raises:
          UserError: the folder cannot be written.
        """
        make_directory(self.folder)
        write_sweep(self.sweep)
        earlier, now = self._earlier, self.sweep
        if (earlier.axes, earlier.text_axes) != (now.axes, now.text_axes):
            for trial in earlier.trials:
                self._rename(trial)
        for trial in self.trials:
            if trial.done or trial.status == TrialStatus.STOPPED:
                restore_damaged_metrics(trial)

    def _label(self, key: str, trial: Trial) -> str:
        """The label of an earlier trial on an axis, which its own sweep need not have had."""
        if known := trial.settings.get(key):
            return known
        try:
            return label_of(key, read_config(trial.directory), trial.choices)
        except DamagedFileError:
            common = self._earlier.common_config  # has each option that was no axis
            return label(common[key]) if key in common else label_of(key, {}, trial.choices)

    def _key(self, trial: Trial) -> str:
        return trial.planned_fingerprint if self._population else trial.fingerprint

    def _name(self, settings: Mapping[str, str], fingerprint: str) -> str:
        pairs = dict(zip(self._short_keys, settings.values(), strict=True))
        return trial_name(pairs, fingerprint, self._digits)

    def _rename(self, trial: Trial) -> None:
        """Give an earlier trial a name and settings with the new axes in them."""
        settings = {key: self._label(key, trial) for key in self.sweep.axes}
        directory = self.folder / self._name(settings, trial.planned_fingerprint)
        try:
            if directory != trial.directory:
                self._move(trial.directory, directory)
        except OSError as error:
            raise cannot_write(directory, error) from error
        update_trial(directory, settings=settings, text_axes=list(self.sweep.text_axes))
        self._trials[self._key(trial)] = read_trial(directory)
        if trial.status != TrialStatus.WAITING:
            rewrite_hparams(directory)


def _read(folder: Path) -> Sweep:
    """Read a sweep's folder, which need not exist, and whose `sweep.json` may be damaged."""
    if (folder / SWEEP_FILE).exists():
        try:
            return read_sweep(folder)
        except DamagedSweepError:
            warn_once(
                f"{folder / SWEEP_FILE} is damaged; it is made anew from the trials' folders."
            )
    return recover_sweep(folder)


def _is_mixed(key: str, axes: Sequence[Axis], trials: Iterable[Trial]) -> bool:
    """Whether an axis has labels of several types, in the space or among trials."""
    planned = {value.label for axis in axes if axis.key == key for value in axis.values}
    known = {trial.settings[key] for trial in trials if key in trial.settings}
    return have_mixed_types(planned | known)


def label_of(key: str, config: Mapping[str, Any], choices: Mapping[str, str]) -> str:
    """Return the label of an option in a trial whose sweep does not have it as an axis."""
    if key in choices:
        return label(choices[key])
    value: Any = config
    for part in key.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return "unset"
        value = value[part]
    return label(value)
