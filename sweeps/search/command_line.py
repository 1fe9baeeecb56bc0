"""The search space of a command: the sweep file's axes and the command line's, checked."""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException, ValidationError

from sweeps.config.application import PARAMS
from sweeps.config.grammar import parse_override, parse_overrides
from sweeps.config.options import framework_keys
from sweeps.errors import UserError
from sweeps.search.space import Space, build_space, in_grammar, param_override

SWEEP_FILES = "sweep"
"""Group of the sweep files."""


def read_space(
    params: Mapping[str, Any],
    arguments: Sequence[str],
    loader: ConfigLoader,
    config: DictConfig,
    not_swept: Sequence[str] = (),
    root: str = "",
) -> Space:
    """Read the search space of a command.

    Args:
      params: the sweep file's entries, of plain values.
      arguments: overrides of the command line.
      loader: Hydra's, which knows the groups and their files.
      config: the command's composed configuration.
      not_swept: further options that cannot be axes.
      root: key that holds the framework's options, which the whole command has and no trial of its
        own; empty: they stand at the root.

    Raises:
      UserError: an override cannot be read; an axis is none; or a sweep file gives a list or a
        mapping for an option that takes none.
    """
    fixed_and_axes, of_command = [], framework_keys(root)
    for key, value in params.items():
        text = param_override(key, value)
        try:
            override = parse_override(text, loader)
        except UserError as error:
            raise UserError(f"{PARAMS} has {key}: {value}; {error}") from error
        _check_param(key, value, override, loader, config, of_command)
        fixed_and_axes.append(override)
    space = build_space(fixed_and_axes, parse_overrides(arguments, loader))
    for axis in space.axes:
        _check_axis(axis.key, not_swept, of_command)
    return space


def _check_param(
    key: str,
    value: Any,
    override: Override,
    loader: ConfigLoader,
    config: DictConfig,
    of_command: Sequence[str],
) -> None:
    """Refuse an entry of a sweep file that means nothing there."""
    bare = override.key_or_group
    if _is_sweep_file(bare):
        raise UserError(
            f"{PARAMS} has {key}: {value}, another sweep file; a command trains one, so name each "
            "in a command of its own."
        )
    if _first(bare) in of_command:
        raise UserError(
            f"{PARAMS} has {key}: {value}, which the whole command has and no trial of its own; "
            f"give {bare} on the command line, or in the file outside {PARAMS}."
        )
    if isinstance(value, Mapping):
        for inner, text in _texts(value, bare):
            if _is_sweep(text):
                raise UserError(
                    f"{PARAMS} has {key}: {value}, one value; for an axis write the whole key, "
                    f"{inner}: {text}."
                )
        if not _takes(bare, value, loader, config):
            whole = ", ".join(f"{bare}.{name}: {one}" for name, one in value.items())
            raise UserError(
                f"{PARAMS} has {key}: {value}, one mapping, and {bare} takes none; write each "
                f"option by its whole key, {whole}."
            )
    elif isinstance(value, list) and not _takes(bare, value, loader, config):
        values = ",".join(in_grammar(key, one) for one in value)
        raise UserError(
            f"{PARAMS} has {key}: {value}, one list, and {bare} takes none; for an axis write its "
            f"values without brackets, {key}: {values}."
        )


def _takes(key: str, value: Any, loader: ConfigLoader, config: DictConfig) -> bool:
    """Whether an option may have a list or a mapping as its value."""
    if loader.get_group_options(key):
        chosen = OmegaConf.select(config, "hydra.runtime.choices").get(key)
        return isinstance(value, list) and not isinstance(chosen, str)
    try:
        if isinstance(OmegaConf.select(config, key), str | int | float):
            return False
        OmegaConf.update(deepcopy(config), key, value)
    except ValidationError:
        return False
    except OmegaConfBaseException:  # no such option, which composition will say
        return True
    return True


def _texts(value: Mapping[Any, Any], prefix: str) -> Iterator[tuple[str, str]]:
    """Key in full and text of each text in a mapping, and in those within it."""
    for name, one in value.items():
        if isinstance(one, Mapping):
            yield from _texts(one, f"{prefix}.{name}")
        elif isinstance(one, str):
            yield f"{prefix}.{name}", one


def _is_sweep(text: str) -> bool:
    try:
        return parse_override(f"k={text}").is_sweep_override()
    except UserError:
        return False


def _check_axis(key: str, not_swept: Sequence[str], of_command: Sequence[str]) -> None:
    """Refuse an axis that is no option of a trial."""
    bare = key.partition("@")[0]
    if _is_sweep_file(bare):
        raise UserError(
            f"{key} has several values, and a command trains one sweep file; name each in a "
            "command of its own, or give the axes of both here."
        )
    if _first(bare) in of_command or bare in not_swept:
        raise UserError(
            f"{key} has several values, and trials cannot differ in it: it says how and where they "
            "run, not what they compute; give it one."
        )


def _is_sweep_file(key: str) -> bool:
    return key == SWEEP_FILES or key.startswith(f"{SWEEP_FILES}/")


def _first(key: str) -> str:
    return key.partition(".")[0].partition("/")[0]
