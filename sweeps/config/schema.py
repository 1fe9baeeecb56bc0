"""Options as dataclass fields: unit, range and meaning of each stand in its field's metadata.

A *section* is a dataclass of options. A section *with kinds* has a subclass for each value of its
option `kind`, with the options that only this kind has, as Hydra's structured configs do:

    @dataclass
    class OptimizerConfig:
        kind: str = option("update rule")
        learning_rate: float = option("step size", above=0)

    @dataclass
    class AdamConfig(OptimizerConfig):
        beta1: float = option("decay of the mean", at_least=0, below=1)

    @dataclass
    class Config:
        optimizer: OptimizerConfig = section(OptimizerConfig, {"adam": AdamConfig})

A configuration file of such a section begins with `defaults: [adam_schema, _self_]`.
"""

import copy
import dataclasses
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from functools import cache
from typing import Any, TypeVar

from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    OmegaConfBaseException,
    ValidationError,
)

from sweeps.errors import UserError

T = TypeVar("T")

_SCHEMA = "_schema"
"""What follows a kind's name in Hydra's config store."""

NOT_UTF8 = "is not UTF-8; write it in UTF-8, and rename a file whose name is not."
"""What is said of text that no file of results can hold."""

Kinds = Mapping[str, type]
"""Value of `kind` -> dataclass of a section with that kind's options."""

CUSTOM = "custom"
"""Kind whose options a section has where its `kind` is a dotted path."""


def option(
    meaning: str,
    *,
    default: Any = MISSING,
    unit: str = "",
    choices: Sequence[str] = (),
    at_least: float = -math.inf,
    above: float = -math.inf,
    at_most: float = math.inf,
    below: float = math.inf,
) -> Any:
    """Declare an option, a field of a section.

    Args:
      meaning: what it sets, in a phrase.
      default: its value where none is given; MISSING: a configuration file has to give one.
      unit: of a number.
      choices: all values that it may have; empty: any of its type.
      at_least: smallest number; `above`, `at_most` and `below` bound it likewise.
    """
    metadata = {
        "meaning": meaning,
        "unit": unit,
        "choices": tuple(choices),
        "range": (at_least, above, at_most, below),
    }
    if isinstance(default, list):
        return field(default_factory=default.copy, metadata=metadata)
    return field(default=default, metadata=metadata)


def section(base: type, kinds: Kinds) -> Any:
    """Declare a section with kinds, a field of the root.

    Args:
      base: the dataclass with the options of all kinds, `kind` among them.
      kinds: the dataclass of each kind, a subclass of `base`; `base` itself where a kind has no
        options of its own.
    """
    return field(default_factory=base, metadata={"kinds": kinds})


def kinds_of(schema: type) -> dict[str, Kinds]:
    """Key of each section of a root with kinds -> its kinds."""
    return {
        item.name: item.metadata["kinds"]
        for item in dataclasses.fields(schema)
        if "kinds" in item.metadata
    }


def with_all_kinds(schema: type) -> type:
    """Make a root's dataclass whose sections with kinds have the options of all their kinds."""
    fields: list[tuple[str, Any, Any]] = []
    for item in dataclasses.fields(schema):
        if kinds := item.metadata.get("kinds"):
            types = {
                one.name: one.type for node in kinds.values() for one in dataclasses.fields(node)
            }
            options = [(name, kind, field(default=MISSING)) for name, kind in types.items()]
            node = dataclasses.make_dataclass(item.name, options)
            fields.append((item.name, node, field(default_factory=node)))
        else:
            default = field(default=item.default, default_factory=item.default_factory)
            fields.append((item.name, item.type, default))
    return dataclasses.make_dataclass(schema.__name__, fields)


def options_of_some(key: str, kinds: Kinds) -> set[str]:
    """Return the options, by their whole keys, that only some kinds of the section `key` have."""
    names = [_option_names(node) for node in kinds.values()]
    return {f"{key}.{name}" for one in names for name in one if any(name not in x for x in names)}


def register_kinds(schema: type) -> None:
    """Make the kinds of a root's sections known to Hydra: `KIND_schema` in the section's group."""
    from hydra.core.config_store import ConfigStore  # takes as long to import as all else here

    store = ConfigStore.instance()
    for group, kinds in kinds_of(schema).items():
        for kind, node in kinds.items():
            store.store(group=group, name=f"{kind}{_SCHEMA}", node=node)


def parse(
    schema: type[T],
    config: Mapping[str, Any] | DictConfig,
    defaults: Mapping[str, Any] | None = None,
) -> T:
    """Give a composed configuration its types; a section with kinds gets that of its kind.

    Args:
      schema: the root's dataclass.
      config: a composed configuration.
      defaults: values of options that it may lack; None: it lacks none.

    Raises:
      UserError: a section has no such kind, or an option that only other kinds have.
      OmegaConfBaseException: an option is missing, unknown, or of another type.
    """
    chosen = {}
    for key, kinds in kinds_of(schema).items():
        given = str(config[key]["kind"])
        kind = CUSTOM if "." in given and CUSTOM in kinds else given
        if kind not in kinds:
            raise UserError(f"{key}.kind={kind} is not known; choose one of {', '.join(kinds)}.")
        if given == CUSTOM:
            raise UserError(f"{key}={CUSTOM} needs a dotted path; give {key}.kind=PACKAGE.NAME.")
        for name in config[key]:
            if sentence := _foreign_option(kinds, key, str(name), kind, "the configuration"):
                raise UserError(sentence)
        chosen[key] = kinds[kind]
    # Only the whole can resolve what refers to another section.
    if isinstance(config, dict) and "${" not in repr(config):
        # An error is told by the whole: it has the option's key in full.
        with suppress(OmegaConfBaseException):
            return _parse_sections(schema, chosen, config, defaults or {})
    return _parse_whole(schema, chosen, config, defaults or {})


def _parse_whole(
    schema: type[T],
    chosen: Kinds,
    config: Mapping[str, Any] | DictConfig,
    defaults: Mapping[str, Any],
) -> T:
    structured = _structured(schema, tuple(chosen.items()))  # type: ignore[arg-type]
    parsed = OmegaConf.to_object(OmegaConf.merge(structured, defaults, config))
    assert isinstance(parsed, schema)
    return parsed


@cache
def _structured(schema: type, chosen: tuple[tuple[str, type], ...]) -> DictConfig:
    """The schema, of which merging makes copies; to build it takes longer than to fill it."""
    structured = OmegaConf.structured(schema)
    for key, kind in chosen:
        structured[key] = OmegaConf.structured(kind)
    assert isinstance(structured, DictConfig)
    return structured


def _parse_sections(
    schema: type[T], chosen: Kinds, config: dict[str, Any], defaults: Mapping[str, Any]
) -> T:
    """Parse each section by itself, and those that were seen before not at all.

    The trials of a sweep differ in few sections. The result is that of `_parse_whole`.
    """
    sections, others = _sections(schema)  # type: ignore[arg-type]
    own = {key: value for key, value in config.items() if key not in sections}
    parsed = vars(_parse_section(others, own, {}))
    for key, node in sections.items():
        given = config.get(key, {})
        parsed[key] = _parse_section(chosen.get(key, node), given, defaults.get(key, {}))
    return schema(**parsed)


@cache
def _sections(schema: type) -> tuple[Kinds, type]:
    """The sections of a root by key, and a dataclass of its other options."""
    fields = dataclasses.fields(schema)
    sections = {item.name: item.type for item in fields if isinstance(item.type, type)}
    sections = {key: node for key, node in sections.items() if dataclasses.is_dataclass(node)}
    others = [
        (item.name, item.type, field(default=item.default, default_factory=item.default_factory))
        for item in fields
        if item.name not in sections
    ]
    return sections, dataclasses.make_dataclass(schema.__name__, others)


_PARSED: dict[tuple[type, str], Any] = {}
"""Dataclass of a section and its content -> the section with its types."""
_MAX_PARSED = 10_000


def _parse_section(node: type, given: Any, defaults: Mapping[str, Any]) -> Any:
    key = node, repr((defaults, given))
    if key not in _PARSED:
        if len(_PARSED) >= _MAX_PARSED:
            _PARSED.clear()
        if not isinstance(given, dict):
            raise ValidationError(f"{given!r} is no section")
        merged = OmegaConf.merge(_structured(node, ()), defaults, given)
        _PARSED[key] = OmegaConf.to_object(merged)
    return _copied(_PARSED[key])


def _copied(section: T) -> T:
    """Copy a section, as `copy.deepcopy` does, which takes ten times as long."""
    found = copy.copy(section)
    for name, value in vars(section).items():
        if not isinstance(value, str | int | float | None):
            vars(found)[name] = copy.deepcopy(value)
    return found


def explain_foreign_option(error: BaseException) -> str:
    """Say which kinds have an option that the chosen one lacks, where Hydra could not compose.

    Returns:
      A sentence; empty: Hydra failed for another reason.
    """
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ConfigKeyError | ConfigAttributeError):
        cause = cause.__cause__ or cause.__context__
    if cause is None:
        return ""
    group, _, name = str(cause.full_key).rpartition(".")
    kinds = _registered_kinds(group)
    kind = next((kind for kind, node in kinds.items() if node is cause.object_type), "")
    file = re.match(r"In '(.+?)':", str(error))
    setter = f"the file {file[1]}" if file else "an override"
    return _foreign_option(kinds, group, name, kind, setter) if kind else ""


def _registered_kinds(group: str) -> Kinds:
    from hydra.core.config_store import ConfigStore

    store = ConfigStore.instance()
    names = store.list(group) if isinstance(store.repo.get(group), dict) else []
    kinds = {}
    for name in names:
        node = OmegaConf.get_type(store.load(f"{group}/{name}").node)
        if name.endswith(f"{_SCHEMA}.yaml") and node is not None:
            kinds[name.removesuffix(f"{_SCHEMA}.yaml")] = node
    return kinds


def _foreign_option(kinds: Kinds, key: str, name: str, kind: str, setter: str) -> str:
    """Say which kinds of a section have an option that `kind` lacks; empty: none, or it has it.

    Args:
      setter: who sets the option.
    """
    having = [one for one, node in kinds.items() if name in _option_names(node)]
    if not having or kind in having:
        return ""
    others = " or ".join(f"{key}={one}" for one in having)
    return (
        f"{key}.{name} has no meaning for {key}={kind}, and {setter} sets it; leave it out there, "
        f"or take {others}, which {'has' if len(having) == 1 else 'have'} it."
    )


def _option_names(section: type) -> set[str]:
    return {item.name for item in dataclasses.fields(section)}


def check_ranges(section: Any, prefix: str = "") -> None:
    """Refuse an option of a section that is out of its range.

    Raises:
      UserError: one is.
    """
    for key, value, metadata in walk_options(section, prefix):
        check_range(key, value, metadata)


def walk_options(section: Any, prefix: str = "") -> Iterator[tuple[str, Any, Mapping[str, Any]]]:
    """Yield key, value and metadata of each option of a section, and of the sections in it."""
    for item in dataclasses.fields(section):
        value = getattr(section, item.name)
        if dataclasses.is_dataclass(value):
            yield from walk_options(value, f"{prefix}{item.name}.")
        elif item.metadata:
            yield prefix + item.name, value, item.metadata


def check_range(key: str, value: Any, metadata: Mapping[str, Any]) -> None:
    """Refuse a value that an option's metadata does not allow.

    Raises:
      UserError: it is none of the choices, out of range, not finite, or no text.
    """
    check_text(key, value)
    if (choices := metadata["choices"]) and value not in choices:
        raise UserError(f"{key}={value} is not known; choose one of {', '.join(choices)}.")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    at_least, above, at_most, below = metadata["range"]
    for bound, holds, words in (
        (at_least, value >= at_least, "at least"),
        (above, value > above, "above"),
        (at_most, value <= at_most, "at most"),
        (below, value < below, "below"),
    ):
        if not holds and not math.isinf(bound):
            raise UserError(f"{key}={value} is out of range; it must be {words} {bound}.")
    if not math.isfinite(value):
        raise UserError(f"{key}={value} is not a finite number; give one, or null where allowed.")


def check_text(key: str, value: Any) -> None:
    """Refuse text that UTF-8 cannot encode, in a value or in what it holds.

    Names of files that are not UTF-8 become such text, and no file of results can hold it.

    Args:
      key: of the option.
      value: of any type.

    Raises:
      UserError: there is such text.
    """
    if isinstance(value, str):
        if not is_encodable(value):
            raise UserError(f"{key}={printable(value)} {NOT_UTF8}")
    elif isinstance(value, Mapping):
        for part in (*value.keys(), *value.values()):
            check_text(key, part)
    elif isinstance(value, Sequence) and not isinstance(value, bytes):
        for part in value:
            check_text(key, part)


def is_encodable(text: str) -> bool:
    """Return whether UTF-8 can encode a text; it cannot encode lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def printable(text: str) -> str:
    r"""Return a text with `\udce9` in the place of each lone surrogate."""
    return text.encode(errors="backslashreplace").decode()
