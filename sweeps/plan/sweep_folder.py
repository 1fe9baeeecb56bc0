"""A sweep's folder is its state: what is in it, and where a trial goes.

`sweep.json` has the axes of all sweeps that filled the folder, how they rank trials, and the base
that all trials share. A trial is known by its fingerprint, whatever its folder is called; what
TensorBoard is shown beside trials (`sweeps.tensorboard.replicate_runs`) has none.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sweeps.config.options import SweepConfig
from sweeps.errors import UserError
from sweeps.io.atomic import cannot_write, make_directory, read_json, write_json
from sweeps.naming import digits_needed, label, short_keys, trial_name
from sweeps.plan.planner import PlannedTrial
from sweeps.search.space import Axis
from sweeps.store.fingerprint import common_config, conflicts, intersection
from sweeps.store.sweep import Sweep, read_sweep
from sweeps.store.trial import Trial, read_config, read_trial
from sweeps.tensorboard.hparams import have_mixed_types, rewrite_hparams


class SweepFolder:
    """Finds and makes the folders of a sweep's trials."""

    def __init__(
        self,
        folder: Path,
        axes: Sequence[Axis],
        planned: Sequence[PlannedTrial],
        options: SweepConfig,
        population: bool = False,
        move: Callable[[Path, Path], object] = Path.rename,
    ) -> None:
        """Open or make a sweep's folder for these axes.

        Args:
          folder: the sweep's.
          axes: what this command sweeps.
          planned: some or all of its trials: what they have in common is compared.
          options: how it ranks.
          population: whether a trial is still itself when it has been changed while it ran.
          move: renames a trial's folder.

        Raises:
          UserError: the folder holds trials of another base configuration.
        """
        old = read_sweep(folder) if (folder / "sweep.json").exists() else Sweep(folder)
        every = tuple(dict.fromkeys([*old.axes, *(axis.key for axis in axes)]))
        common = common_config((trial.identity for trial in planned), every)
        if changed := conflicts(old.base, common, every):
            there = ", ".join(f"{key}={old.base[key]} (now {common[key]})" for key in changed)
            raise UserError(
                f"{folder} holds trials of another configuration: {there}; give this sweep another "
                "folder with sweep.name=NAME, or move that one aside with sweep.fresh=true."
            )
        kept = intersection(old.base, common) if old.base else common
        text = tuple(key for key in every if key in old.as_text or _is_mixed(key, axes, old.trials))
        ranking = options.metric, options.mode, options.replicate
        self.sweep = Sweep(folder, every, *ranking, kept, as_text=text)
        self._short = short_keys(list(every))
        self._population = population
        self._move = move
        self._known = {self._key(trial): trial for trial in old.trials}
        self._old = old
        self._digits = digits_needed(
            [
                *(trial.origin for trial in old.trials),
                *(trial.spec.origin for trial in planned),
            ]
        )

    @property
    def folder(self) -> Path:
        """The sweep's."""
        return self.sweep.folder

    def find(self, planned: PlannedTrial) -> Trial | None:
        """The trial's folder, where there is one."""
        spec = planned.spec
        return self._known.get(spec.origin if self._population else spec.fingerprint)

    @property
    def trials(self) -> list[Trial]:
        """All there are."""
        return list(self._known.values())

    def add(self, planned: PlannedTrial) -> None:
        """Take note of a trial whose folder was made."""
        trial = read_trial(self.path(planned))
        self._known[self._key(trial)] = trial

    def path(self, planned: PlannedTrial) -> Path:
        """Where a trial is, or is to be."""
        if trial := self.find(planned):
            return trial.directory
        return self.folder / self._name(self.settings(planned), planned.spec.origin)

    def settings(self, planned: PlannedTrial) -> dict[str, str]:
        """The trial's label on every axis of the folder."""
        spec = planned.spec
        return {
            key: spec.settings.get(key) or _setting(key, spec.config, spec.choices)
            for key in self.sweep.axes
        }

    def write(self) -> None:
        """Bring `sweep.json` and the names of earlier trials up to date with the axes.

        Raises:
          UserError: the folder cannot be written.
        """
        make_directory(self.folder)
        facts = asdict(self.sweep)
        del facts["folder"], facts["trials"]
        write_json(self.folder / "sweep.json", facts)
        old, now = self._old, self.sweep
        if (old.axes, old.as_text) != (now.axes, now.as_text):
            for trial in self._old.trials:
                self._rename(trial)

    def _key(self, trial: Trial) -> str:
        return trial.origin if self._population else trial.fingerprint

    def _name(self, settings: Mapping[str, str], key: str) -> str:
        pairs = dict(zip(self._short, settings.values(), strict=True))
        return trial_name(pairs, key, self._digits)

    def _rename(self, trial: Trial) -> None:
        """Give an earlier trial a name and settings with the new axes in it."""
        known = read_json(trial.directory / "trial.json") or {}
        config = read_config(trial.directory)
        settings = {
            key: known["settings"].get(key) or _setting(key, config, known["choices"])
            for key in self.sweep.axes
        }
        directory = self.folder / self._name(settings, trial.origin)
        try:
            if directory != trial.directory:
                self._move(trial.directory, directory)
        except OSError as error:
            raise cannot_write(directory, error) from error
        here = {"settings": settings, "as_text": list(self.sweep.as_text)}
        write_json(directory / "trial.json", {**known, **here})
        self._known[self._key(trial)] = read_trial(directory)
        if trial.status != "waiting":
            rewrite_hparams(directory)


def _is_mixed(key: str, axes: Sequence[Axis], trials: Iterable[Trial]) -> bool:
    """Whether an axis has labels of several types, in the space or among trials."""
    planned = {value.label for axis in axes if axis.key == key for value in axis.values}
    known = {trial.settings[key] for trial in trials if key in trial.settings}
    return have_mixed_types(planned | known)


def _setting(key: str, config: Mapping[str, Any], choices: Mapping[str, str]) -> str:
    """The label of an axis in a trial that another sweep made."""
    if key in choices:
        return label(choices[key])
    value: Any = config
    for part in key.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return "unset"
        value = value[part]
    return label(value)
