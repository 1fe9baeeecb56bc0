"""Overrides -> resolved configuration, for the thousands of trials of a sweep.

Hydra takes 50 ms to compose a configuration from its files. Trials that differ in plain options
alone are therefore made from one composition, by setting those options in it as Hydra does.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from sweeps.config.application import PARAMS
from sweeps.config.grammar import parse_override
from sweeps.config.hydra_errors import composition_errors
from sweeps.config.schema import explain_foreign_option
from sweeps.errors import UserError

Composed = tuple[Mapping[str, Any], Mapping[str, str]]
"""Resolved configuration of plain values, and the file chosen of each group."""


@dataclass(frozen=True)
class _Base:
    """A composition in which the plain options of one trial after the other are set."""

    config: DictConfig
    choices: Mapping[str, str]
    constant: dict[str, Any] = field(default_factory=dict)
    """Plain values of the sections that are the same in all trials."""


class Composer:
    """Composes the trials of one sweep."""

    def __init__(self, loader: ConfigLoader, master: DictConfig, axes: Sequence[str]) -> None:
        """Take Hydra's loader and the configuration of the command line.

        Args:
          axes: keys of what is swept; every trial sets all of them.
        """
        self._loader, self._master = loader, master
        self._options = {key for key in axes if not loader.get_group_options(key)}
        self._groups = set(axes) - self._options
        self._bases: dict[tuple[str, ...], _Base | None] = {}

    def __call__(self, overrides: Sequence[str]) -> Composed:
        """Compose a trial.

        Raises:
          UserError: Hydra cannot compose it, or an option has no value; or a file that it chooses
            has axes of its own, which a trial cannot have.
        """
        with composition_errors():
            return self._compose(overrides)

    def _compose(self, overrides: Sequence[str]) -> Composed:
        parsed = [_parse(text) for text in overrides]
        rest = tuple(item.input_line or "" for item in parsed if not self._is_plain(item))
        if rest in self._bases:
            base = self._bases[rest]
            return self._set(base, parsed, overrides) if base else self._load(overrides)
        found = self._load(overrides)
        base = _Base(self._loader.load_sweep_config(self._master, list(rest)), found[1])
        if self._set(base, parsed, overrides) == found:
            base.constant.update(self._constant(base.config, found[0]))
            self._bases[rest] = base
        else:
            self._bases[rest] = None
        return found

    def _constant(self, config: DictConfig, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values of the sections that no axis sets, and that refer to no other one."""
        swept = {re.split(r"[.\[]", key)[0] for key in self._options}
        raw = OmegaConf.to_container(config)
        assert isinstance(raw, dict)
        return {
            str(key): _copied(values[str(key)])
            for key, value in raw.items()
            if key != "hydra" and key not in swept and "${" not in repr(value)
        }

    def _is_plain(self, override: Override) -> bool:
        """Whether it sets an option that is swept to a single value, and does nothing else."""
        changes = (
            override.is_add()
            or override.is_force_add()
            or override.is_delete()
            or override.package is not None
        )
        value = None if changes else override.value()
        single = value is None or isinstance(value, str | int | float | bool)
        return not changes and override.key_or_group in self._options and single

    def _set(
        self,
        base: _Base,
        parsed: Sequence[Override],
        overrides: Sequence[str],
    ) -> Composed:
        try:
            for override in parsed:
                if self._is_plain(override):
                    key, value = override.key_or_group, override.value()
                    OmegaConf.update(base.config, key, value, merge=True)
        except OmegaConfBaseException:
            return self._load(overrides)  # for Hydra's own words
        return _values(base.config, base.constant), base.choices

    def _load(self, overrides: Sequence[str]) -> Composed:
        try:
            composed = self._loader.load_sweep_config(self._master, list(overrides))
        except HydraException as error:
            sentence = explain_foreign_option(error)
            if (section := sentence.partition(".")[0]) in self._groups:
                sentence = sentence.removesuffix(".")
                raise UserError(f"{sentence}; or sweep over each {section} by itself.") from error
            raise
        self._check_params(composed)
        choices = {
            str(group): str(file)
            for group, file in composed.hydra.runtime.choices.items()
            if not str(group).startswith("hydra/")
        }
        return _values(composed), choices

    def _check_params(self, composed: DictConfig) -> None:
        """Refuse a file with axes that the sweep does not know."""
        here, there = (_params(one) for one in (self._master, composed))
        if not (added := [key for key in there if key not in here or there[key] != here[key]]):
            return
        before = self._master.hydra.runtime.choices
        chosen = composed.hydra.runtime.choices.items()
        files = [f"{group}={file}" for group, file in chosen if before.get(group) != file]
        raise UserError(
            f"a trial with {', '.join(files)} has axes of its own ({', '.join(added)} in "
            f"{PARAMS}), over which a trial cannot sweep; choose that file for the whole sweep, "
            "or give its axes on the command line."
        )


def _params(config: DictConfig) -> dict[str, Any]:
    """The axes that files give, as they stand there."""
    found = OmegaConf.select(config, PARAMS)
    plain = OmegaConf.to_container(found) if OmegaConf.is_config(found) else {}
    return {str(key): plain[key] for key in plain} if isinstance(plain, dict) else {}


@lru_cache(maxsize=10_000)
def _parse(text: str) -> Override:
    return parse_override(text)


def _values(composed: DictConfig, constant: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Plain values of a composition, all objects of their own; those that are known are copied."""
    constant = constant or {}
    return {
        str(key): _copied(constant[str(key)]) if str(key) in constant else _plain(composed, key)
        for key in composed
        if key != "hydra"
    }


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def _plain(config: DictConfig, key: Any) -> Any:
    try:
        value = config[key]
        if not OmegaConf.is_config(value):
            return value.name if isinstance(value, Enum) else value
        return OmegaConf.to_container(value, resolve=True, throw_on_missing=True, enum_to_str=True)
    except MissingMandatoryValue as error:
        raise UserError(
            f"{error.full_key} has no value; give it one on the command line."
        ) from error
