"""The options of a function: from a configuration file, a dataclass, or its own arguments."""

import dataclasses
import inspect
import re
import sys
import typing
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig, OmegaConf

from sweeps.config import SCHEDULERS, FrameworkConfig, composition_errors, framework_keys
from sweeps.config.schema import check_range, option
from sweeps.errors import UserError
from sweeps.tracking import Run

RUN_ARGUMENT = "run"
"""Name of the argument that is the trial's `Run`."""
CONFIG_ARGUMENT = "config"
"""Name of the argument that is the whole configuration."""
SCHEMA_NODE = "sweeps_experiment_schema"
"""Node of Hydra's config store with the options of a dataclass or of arguments."""

Source = str | Path | type | None
"""Where options come from: a configuration file, a dataclass, or (None) the arguments."""


class FunctionOptions:
    """Where a function's options come from, and how it is called with them."""

    def __init__(self, function: Callable[..., Any], config: Source) -> None:
        self.function = function
        self.name = _name_of(function)
        self.schema: type | None = None
        self.file: Path | None = None
        self._as_arguments = False
        parameters = self._parameters()
        self._takes_run = RUN_ARGUMENT in parameters
        others = [name for name in parameters if name != RUN_ARGUMENT]
        if isinstance(config, str | Path):
            self.file = self._file(Path(config))
        elif config is None:
            self._read_signature(parameters, others)
        elif dataclasses.is_dataclass(config) and isinstance(config, type):
            self.schema = config
        else:
            raise UserError(
                f"{self.name}: {config!r} is no source of options; give the path of a "
                "configuration file, a dataclass, or nothing."
            )
        if not self._as_arguments and len(others) != 1:
            raise UserError(
                f"{self.name} takes ({', '.join(parameters)}); with a configuration it is called "
                "as function(config, run) or function(config), so give it these arguments."
            )

    def _parameters(self) -> Mapping[str, inspect.Parameter]:
        try:
            return inspect.signature(self.function).parameters
        except (TypeError, ValueError) as error:
            raise UserError(f"{self.function!r} is no function; decorate one.") from error

    def _file(self, config: Path) -> Path:
        source = inspect.getsourcefile(self.function)
        folder = Path(source).parent if source and Path(source).exists() else Path.cwd()
        file = (folder / config).resolve()
        if file.suffix not in (".yaml", ".yml"):
            raise UserError(f"{file} is no YAML file; give the path of a file such as config.yaml.")
        return file

    def _read_signature(
        self, parameters: Mapping[str, inspect.Parameter], others: Sequence[str]
    ) -> None:
        hints = _type_hints(self.function)
        first = hints.get(others[0]) if len(others) == 1 else None
        if first is not None and dataclasses.is_dataclass(first):
            self.schema = typing.cast(type, first)
            return
        if others == [CONFIG_ARGUMENT]:
            raise UserError(
                f"{self.name} takes a configuration, and none is given; give the decorator the "
                "path of a file or a dataclass, or write each option as an argument of its own."
            )
        kinds = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
        if any(parameters[name].kind in kinds for name in others):
            raise UserError(
                f"{self.name} takes any arguments (* or **), from which no options can be read; "
                "write each option as an argument of its own."
            )
        self._as_arguments = True
        fields = [(name, *_field(parameters[name], hints.get(name, Any))) for name in others]
        self.schema = dataclasses.make_dataclass("Options", fields)

    @property
    def config_dir(self) -> Path | None:
        return None if self.file is None else self.file.parent

    def defaults(self, root: str) -> list[Any]:
        """Entries of Hydra's defaults list for the function's options.

        Raises:
          UserError: the file is missing, or its own options collide with the framework's.
        """
        if self.file is None:
            assert self.schema is not None
            self._check_names([item.name for item in dataclasses.fields(self.schema)], root)
            return ["sweeps_metric", SCHEMA_NODE]
        if not self.file.exists():
            raise UserError(f"{self.file} does not exist; mend the path of the configuration file.")
        self._check_content(self._content, root)
        return ["sweeps_metric", self.file.stem]

    def _check_content(self, content: DictConfig, root: str) -> None:
        """Refuse a file with keys that are the framework's, and mean something else in it."""
        if root:
            self._check_names([str(key) for key in content], root)
            return
        known = OmegaConf.structured(FrameworkConfig)
        for key in ("sweep", "search", "scheduler", "ray"):
            mine = content.get(key) if key in content else None
            if mine is None or (isinstance(mine, str) and "$" in mine):
                continue
            names = list(mine) if isinstance(mine, DictConfig) else []
            other = [name for name in names if name not in _all_names(known, key)]
            if other or not isinstance(mine, DictConfig):
                raise _collision(self.file, f"{key}.{other[0]}" if other else key)

    def _check_names(self, names: Sequence[str], root: str) -> None:
        for name in names:
            if name in framework_keys(root) and not (self.file is not None and name == root):
                raise _collision(self.file or self.name, name)

    def sets(self, group: str) -> bool:
        """Whether the configuration file chooses a file of Hydra's own groups."""
        return any(group in str(entry) for entry in self._content.get("defaults") or [])

    @cached_property
    def _content(self) -> DictConfig:
        """What stands in the configuration file itself; empty: there is none, or no mapping."""
        if self.file is None:
            return OmegaConf.create()
        with composition_errors():
            content = OmegaConf.load(self.file)
        return content if isinstance(content, DictConfig) else OmegaConf.create()

    def register(self) -> None:
        """Make the schema known to Hydra."""
        if self.schema is not None:
            # Hydra's root takes keys of others, too: a dictionary, with typed values where it can.
            # OmegaConf has no public way to move a typed value from a dataclass to a dictionary.
            typed = OmegaConf.structured(self.schema)
            node = OmegaConf.create(flags={"allow_objects": True})
            for key in typed:
                node._set_item_impl(key, typed._get_node(key))
            ConfigStore.instance().store(name=SCHEMA_NODE, node=node)

    def check(self, own: Mapping[str, Any]) -> None:
        """Refuse values that the schema does not allow."""
        if self.schema is None:
            return
        for item in dataclasses.fields(self.schema):
            if item.metadata.get("range") is not None and item.name in own:
                check_range(item.name, own[item.name], item.metadata)

    def __call__(self, own: Mapping[str, Any], run: Run) -> Any:
        further = {RUN_ARGUMENT: run} if self._takes_run else {}
        if self.schema is None:
            config = OmegaConf.create(dict(own))
            OmegaConf.set_readonly(config, True)
            return self.function(config, **further)
        instance = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(self.schema), own))
        if not self._as_arguments:
            return self.function(instance, **further)
        values = {
            item.name: getattr(instance, item.name) for item in dataclasses.fields(self.schema)
        }
        return self.function(**values, **further)


def _name_of(function: Callable[..., Any]) -> str:
    """The function's module and name; a program's module is its file."""
    module = getattr(function, "__module__", "") or ""
    if module == "__main__":
        main = sys.modules["__main__"]
        spec, file = getattr(main, "__spec__", None), getattr(main, "__file__", None)
        module = spec.name if spec else Path(file).stem if file else "__main__"
    module = module.removesuffix(".__main__")
    return f"{module}.{getattr(function, '__qualname__', type(function).__name__)}"


def _type_hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except (NameError, TypeError, AttributeError):
        return {}


def _field(parameter: inspect.Parameter, hint: Any) -> tuple[Any, Any]:
    """Type and default of an option that is an argument of a function."""
    default = MISSING if parameter.default is inspect.Parameter.empty else parameter.default
    choices: Sequence[str] = ()
    if typing.get_origin(hint) is Literal:
        values = typing.get_args(hint)
        choices = values if all(isinstance(one, str) for one in values) else ()
        hint = str if choices else Any
    try:
        field = option("", default=default, choices=choices)
        OmegaConf.structured(dataclasses.make_dataclass("One", [("one", hint, field)]))
    except Exception:  # OmegaConf has no such type, and its errors no common base
        hint = Any
    if isinstance(default, dict | set) or (
        default is not MISSING and dataclasses.is_dataclass(default)
    ):
        return hint, dataclasses.field(default_factory=lambda: default)
    return hint, option("", default=default, choices=choices)


def _all_names(known: DictConfig, key: str) -> set[str]:
    names = set(known[key]) if OmegaConf.is_config(known[key]) else set()
    if key == "scheduler":
        names |= {item.name for node in SCHEDULERS.values() for item in dataclasses.fields(node)}
    return {str(name) for name in names}


def _collision(where: Any, key: str) -> UserError:
    return UserError(
        f"{where} has an option {key} of its own, and {re.split('[.]', key)[0]} is one of sweeps; "
        "put the options of sweeps under a key of their own with "
        "@sweeps.experiment(..., root='tune'): tune.scheduler=asha, tune.sweep.name=NAME."
    )
