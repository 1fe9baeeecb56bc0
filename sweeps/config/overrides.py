"""Overrides of a command line, checked before Hydra composes: names that nothing has, wrong types.

Hydra answers an unknown option by offering to add it, which no schema lets it do.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import ChoiceSweep, Glob, Override, QuotedString, Sweep
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sweeps.config.grammar import parse_overrides
from sweeps.config.schema import explain_foreign_option, kinds_of, options_of_some, with_all_kinds
from sweeps.errors import ALIKE, UserError

MAX_FILES = 50
"""Most files of a swept group that are composed to learn their options."""
_ELSEWHERE = ("--config-", "-cd", "-cn", "-cp", "hydra.searchpath")
"""Arguments that bring files or options of the user's own, of which nothing is known here."""


def check_overrides(
    arguments: Sequence[str], config_dir: Path, schema: type, config_name: str = "config"
) -> None:
    """Refuse overrides that cannot be read, of options and files that there are not, and values of
    another type.

    Args:
      arguments: of the command line; Hydra's flags are passed over, `--flag=value` each.
      config_dir: the folder of configuration files, of which each folder is a group.
      schema: the dataclass of the whole configuration, known to Hydra.
      config_name: the root's file in that folder.

    Raises:
      UserError: an override cannot be read; there is no such option, the group has no such file,
        the option takes no such value, or only other kinds of its section have it.
    """
    texts = [one for one in arguments if not one.startswith("-")]
    _check_bare(texts, config_dir, config_name)
    given = parse_overrides(texts)
    if any(argument.startswith(_ELSEWHERE) for argument in arguments):
        return
    config = OmegaConf.structured(with_all_kinds(schema))
    options = dict(_walk(OmegaConf.to_container(config)))
    for override in given:
        key = override.key_or_group
        if key.partition(".")[0].partition("/")[0] == "hydra":
            continue
        if override.is_delete():
            if key in options and "." not in key:
                raise UserError(f"~{key} takes away what every run needs; leave it out.")
            continue
        if (config_dir / key).is_dir():
            _check_files(key, _values(override), config_dir)
        elif not _is_option(key, options):
            groups = [path.name for path in config_dir.iterdir() if path.is_dir()]
            raise UserError(f"{key} is no option; {_meant(key, options, groups)}")
        else:
            _check_values(key, _values(override), config)
    _check_added(given, config_dir, config_name)
    if _may_not_fit([override.key_or_group for override in given], config_dir, schema):
        _check_kinds([override.input_line or "" for override in given], config_dir, config_name)


def _check_bare(texts: Sequence[str], config_dir: Path, config_name: str) -> None:
    """Refuse the name of a file without its group."""
    for text in texts:
        if "=" in text or text.startswith("~"):
            continue
        files = sorted(config_dir.glob("*/*.yaml"))
        if groups := [path.parent.name for path in files if path.stem == text]:
            chosen = _default_groups(config_dir / f"{config_name}.yaml")
            near = [f"{'' if group in chosen else '+'}{group}={text}" for group in groups]
            raise UserError(f"{text} is no override; {_question(near)}")


def _check_added(given: Sequence[Override], config_dir: Path, config_name: str) -> None:
    """Refuse a second file of a group, which Hydra does not take."""
    chosen: dict[str, list[str]] = {}
    for override in given:
        if override.is_add() and (config_dir / override.key_or_group).is_dir():
            chosen.setdefault(override.get_key_element(), []).append(override.input_line or "")
    for key, texts in chosen.items():
        group = key.lstrip("+")
        if len(texts) > 1:
            raise UserError(
                f"{' and '.join(texts)} are two files of {group}, and there can be one; leave one "
                "out, and set what the other has by options."
            )
        if group in _default_groups(config_dir / f"{config_name}.yaml"):
            raise UserError(
                f"{texts[0]} adds a file of {group}, of which there is one already; write "
                f"{texts[0].removeprefix('+')}."
            )


def _default_groups(file: Path) -> set[str]:
    """The groups of which a configuration file chooses one; none where there is no such file."""
    if not file.is_file():
        return set()
    defaults = OmegaConf.to_container(OmegaConf.load(file)).get("defaults", [])  # type: ignore[union-attr]
    return {str(key) for one in defaults if isinstance(one, dict) for key in one}


def check_against(
    overrides: Sequence[Override],
    loader: ConfigLoader,
    compose: Callable[[Sequence[str]], DictConfig],
    *,
    closed: bool = False,
) -> None:
    """Refuse overrides of options and files that there are not, where no schema has all of them.

    Args:
      overrides: of the command line.
      loader: knows the groups and their files.
      compose: composes the configuration with some overrides, which choose files.
      closed: whether the root takes no further options, which `+key=value` would add.

    Raises:
      UserError: there is no such option, or the group has no such file.
    """
    chosen: list[list[str]] = [[]]
    for override in overrides:
        if override.is_delete() or override.key_or_group.split("/")[0] == "hydra":
            continue
        if files := loader.get_group_options(override.key_or_group):
            values = _values(override)
            _check_names(override.key_or_group, values, sorted(files))
            key = override.get_key_element()
            texts = [f"{key}={one}" for one in values if isinstance(one, str)][:MAX_FILES]
            if len(texts) == 1:  # one for all trials
                chosen = [[*given, *texts] for given in chosen]
            else:
                chosen += [[*chosen[0], text] for text in texts]
    options: dict[str, Any] = {}
    configs: list[tuple[DictConfig, dict[str, Any]]] = []
    for files in chosen:
        config = compose(files)
        plain = OmegaConf.to_container(OmegaConf.masked_copy(config, _not_hydra(config)))
        configs.append((config, dict(_walk(plain))))
        options |= configs[-1][1]
    for override in overrides:
        key = override.key_or_group
        adds = override.is_add() or override.is_force_add()
        special = override.is_delete() or (adds and not (closed and _is_strange(key, options)))
        if special or re.split("[./]", key)[0] == "hydra" or loader.get_group_options(key):
            continue
        if not _is_option(key, options):
            raise UserError(f"{key} is no option; {_meant(key, options, ())}")
        having = [config for config, known in configs if _is_option(key, known)]
        _check_values(key, _values(override), having[0])


def _is_strange(key: str, options: Mapping[str, Any]) -> bool:
    return key.partition(".")[0] not in options


def _not_hydra(config: DictConfig) -> list[str]:
    return [str(key) for key in config if key != "hydra"]


def _may_not_fit(keys: Sequence[str], config_dir: Path, schema: type) -> bool:
    """Whether overrides can meet a kind of a section that lacks an option that is set.

    Either they set an option that not all kinds have, or they choose a kind beside a file that may
    set such an option.
    """
    kinds = kinds_of(schema)
    some = {key for section, nodes in kinds.items() for key in options_of_some(section, nodes)}
    groups = [key for key in keys if (config_dir / key).is_dir()]
    return not some.isdisjoint(keys) or (any(key in kinds for key in groups) and len(groups) > 1)


def _check_kinds(overrides: Sequence[str], config_dir: Path, config_name: str) -> None:
    """Refuse options that the chosen kind of their section lacks; to compose is to choose."""
    with initialize_config_dir(str(config_dir), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        try:
            loader.load_configuration(config_name, list(overrides), run_mode=RunMode.MULTIRUN)
        except HydraException as error:
            if sentence := explain_foreign_option(error):
                raise UserError(sentence) from error


def _walk(values: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every option and every section, by its whole key."""
    for name, value in values.items():
        yield f"{prefix}{name}", value
        if isinstance(value, Mapping):
            yield from _walk(value, f"{prefix}{name}.")


def _is_option(key: str, options: Mapping[str, Any]) -> bool:
    """Whether the schema has it; a mapping without keys of its own takes any."""
    parts = key.split(".")
    above = [".".join(parts[:end]) for end in range(1, len(parts))]
    return key in options or any(options.get(one) == {} for one in above)


def _meant(key: str, options: Mapping[str, Any], groups: Sequence[str]) -> str:
    """The options whose last name it is, or much like it; else all of its section."""
    section, _, last = key.rpartition(".")
    names = {option: option.rpartition(".")[2] for option in (*options, *groups)}
    alike = get_close_matches(last, list(names.values()), n=1, cutoff=ALIKE)
    if near := [option for option, name in names.items() if name in alike]:
        here = [option for option in near if option == f"{section}.{names[option]}"]
        return _question(here or near)
    if isinstance(inside := options.get(section), Mapping):
        return f"{section} has {', '.join(inside)}."
    return "with --cfg job the command prints all there are."


def _question(near: Sequence[str]) -> str:
    return f"did you mean {' or '.join(near)}?" if near else ""


def _values(override: Override) -> list[Any]:
    """Values that an override lists one by one, as `a,b` does and `range(1,3)` does not.

    Of several, those that are plain.
    """
    value = override.value()
    if isinstance(value, ChoiceSweep):
        plain = [one.text if isinstance(one, QuotedString) else one for one in value.list]
        return [one for one in plain if one is None or isinstance(one, str | int | float | bool)]
    return [] if isinstance(value, Sweep | Glob) else [value]


def _check_values(key: str, values: Iterable[Any], config: DictConfig) -> None:
    """See whether the schema takes them; what range they may be of is the application's."""
    for value in values:
        try:
            OmegaConf.update(config, key, value)
        except OmegaConfBaseException as error:
            why = str(error).partition("\n")[0]
            shown = "null" if value is None else value
            raise UserError(f"{key}={shown} does not fit: {why}.") from error


def _check_files(group: str, values: Iterable[Any], config_dir: Path) -> None:
    _check_names(group, values, sorted(path.stem for path in (config_dir / group).glob("*.yaml")))


def _check_names(group: str, values: Iterable[Any], names: Sequence[str]) -> None:
    for value in values:
        for name in value if isinstance(value, list) else [value]:
            if not isinstance(name, str) or "$" in name:
                continue
            if name.removesuffix(".yaml") not in names:
                meant = _question(get_close_matches(name, names, n=1))
                raise UserError(f"{group}={name} is not known; {meant or _all(names)}")


def _all(names: Sequence[str]) -> str:
    return f"choose one of {', '.join(names)}."
