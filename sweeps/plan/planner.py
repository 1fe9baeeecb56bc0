"""From a setting to a trial that is composed and checked, before anything runs."""

import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sweeps.search.samplers import Setting
from sweeps.search.space import Space
from sweeps.store.fingerprint import fingerprint
from sweeps.store.trial import TrialSpec

Compose = Callable[[Sequence[str]], tuple[Mapping[str, Any], Mapping[str, str]]]
"""Overrides -> resolved configuration of plain values, and the file chosen of each group."""

Identify = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Configuration -> what defines its result; raises UserError where it is invalid."""


@dataclass(frozen=True)
class PlannedTrial:
    """A trial that can be run."""

    spec: TrialSpec
    identity: Mapping[str, Any]


@dataclass(frozen=True)
class Planner:
    """Makes trials of settings."""

    space: Space
    compose: Compose
    identify: Identify
    train_command: str
    """Command that runs a trial alone, given its overrides."""
    population: Mapping[str, Any] = field(default_factory=dict)
    """How the trials may change each other while they run; empty: they do not."""
    reproduce_command: str = ""
    """Command that runs a trial again and compares, given its folder; empty: none."""

    def trial(self, setting: Setting) -> PlannedTrial:
        """Compose and check one trial."""
        overrides = (*self.space.fixed, *(value.override for value in setting))
        config, choices = self.compose(overrides)
        identity = self.identify(config)
        planned = {**identity, "population": self.population} if self.population else identity
        labels = (value.label for value in setting)
        spec = TrialSpec(
            config=config,
            overrides=overrides,
            settings=dict(zip((axis.key for axis in self.space.axes), labels, strict=True)),
            fingerprint=fingerprint(identity),
            command=trial_command(self.train_command, overrides),
            choices=choices,
            origin=fingerprint(planned),
            verify=self.reproduce_command,
        )
        return PlannedTrial(spec, planned)

    def trials(self, settings: Iterable[Setting]) -> list[PlannedTrial]:
        """Compose and check every trial; those that would compute the same appear once."""
        found: dict[str, PlannedTrial] = {}
        for setting in settings:
            trial = self.trial(setting)
            found.setdefault(trial.spec.fingerprint, trial)
        return list(found.values())


def trial_command(train_command: str, overrides: Iterable[str]) -> str:
    """What runs a trial alone: without the overrides that speak of its sweep."""
    return f"{train_command} {shlex.join(filter(_is_own, overrides))}"


def _is_own(override: str) -> bool:
    """Whether an override says something of the trial, and not of the sweep that it is in.

    A single run writes to a folder, so a URL for the sweep's results is of the sweep too.
    """
    key, _, value = override.lstrip("+").partition("=")
    if key == "output_dir":
        return re.match(r"[\w+.-]+\\?:[\\/]*//", value) is None
    return re.match(r"sweep\.|(search|scheduler|ray)\b", key) is None
