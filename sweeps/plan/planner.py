"""Makes trials of settings: composed, checked and fingerprinted before anything runs."""

import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sweeps.search import Setting, Space
from sweeps.store import TrialSpec, fingerprint

Compose = Callable[[Sequence[str]], tuple[Mapping[str, Any], Mapping[str, str]]]
"""Overrides -> resolved configuration of plain values, and group -> the file chosen."""

Identify = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Configuration -> what defines its result; raises UserError where it is invalid."""


@dataclass(frozen=True, kw_only=True)
class PlannedTrial:
    """A trial that can be run."""

    spec: TrialSpec
    identity: Mapping[str, Any]
    """Options and data that define its result; in a population, the scheduler's options too."""


@dataclass(frozen=True, kw_only=True)
class Planner:
    """Makes trials of settings."""

    space: Space
    compose: Compose
    identify: Identify
    train_command: str
    """Command that runs a trial alone, given its overrides."""
    population: Mapping[str, Any] = field(default_factory=dict)
    """Options of population based training; empty: it is not used."""
    reproduce_command: str = ""
    """Command that runs a trial again and compares, given its folder; empty: none."""
    root: str = ""
    """Key of the configuration that holds the framework's options; empty: its root does."""

    def trial(self, setting: Setting) -> PlannedTrial:
        """Compose and check one trial.

        Raises:
          UserError: its configuration is invalid.
        """
        overrides = (*self.space.fixed, *(value.override for value in setting))
        config, choices = self.compose(overrides)
        identity = self.identify(config)
        planned = {**identity, "population": self.population} if self.population else identity
        keys, labels = (axis.key for axis in self.space.axes), (value.label for value in setting)
        spec = TrialSpec(
            config=config,
            overrides=overrides,
            settings=dict(zip(keys, labels, strict=True)),
            fingerprint=fingerprint(identity),
            train_command=trial_command(self.train_command, overrides, self.root),
            choices=choices,
            planned_fingerprint=fingerprint(planned),
            reproduce_command=self.reproduce_command,
        )
        return PlannedTrial(spec=spec, identity=planned)

    def trials(self, settings: Sequence[Setting]) -> "PlannedTrials":
        """Compose and check the trial of each setting. Trials of equal fingerprints appear once.

        Raises:
          UserError: a configuration is invalid.
        """
        found: dict[str, PlannedTrial] = {}
        idle: set[str] = set()
        for setting in settings:
            trial = self.trial(setting)
            first = found.setdefault(trial.spec.fingerprint, trial).spec.settings
            idle |= {key for key, text in trial.spec.settings.items() if text != first[key]}
        return PlannedTrials(
            trials=list(found.values()),
            num_settings=len(settings),
            idle_axes=[axis.key for axis in self.space.axes if axis.key in idle],
        )


@dataclass(frozen=True, kw_only=True)
class PlannedTrials:
    """Trials of the settings of a search space, each once."""

    trials: Sequence[PlannedTrial]
    num_settings: int
    idle_axes: Sequence[str]
    """Keys of the axes in which settings of one trial differ."""

    @property
    def notice(self) -> str:
        """A sentence on settings that are one trial; empty: each is a trial of its own."""
        if not self.idle_axes:
            return ""
        count, keys = len(self.trials), ", ".join(self.idle_axes)
        return (
            f"{self.num_settings} settings are {count} trial{'s' * (count != 1)}: those that "
            f"differ only in {keys} compute the same, and the first of them is trained."
        )


def trial_command(train_command: str, overrides: Iterable[str], root: str = "") -> str:
    """The command that trains a trial alone, without the overrides that concern its sweep.

    Args:
      train_command: the command without overrides.
      overrides: the trial's.
      root: key of the configuration that holds the framework's options; empty: its root does.
    """
    prefix = f"{root}." if root else ""
    return f"{train_command} {shlex.join(one for one in overrides if _concerns_trial(one, prefix))}"


def _concerns_trial(override: str, prefix: str) -> bool:
    """Whether an override concerns the trial, and not the sweep that it is in.

    A URL as output folder concerns the sweep: a single run cannot write to one.
    """
    key, _, value = override.lstrip("+").partition("=")
    if prefix:
        key = key.replace("/", ".")  # a group of the framework's
        if not key.startswith(prefix):
            return True
        key = key.removeprefix(prefix)
    if key == "output_dir":
        return re.match(r"['\"]?[\w+.-]+\\?:[\\/]*//", value) is None
    return re.match(r"sweep\.|(search|scheduler|ray)\b", key) is None
