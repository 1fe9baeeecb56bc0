"""Options of a sweep, the application's hooks, and the composition of trials.

Each name is imported when it is first used: workers need the hooks alone.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweeps.config.application import Application, check_application, read_application
    from sweeps.config.compose import Composer
    from sweeps.config.grammar import parse_override, parse_overrides, quoted
    from sweeps.config.hook_check import check_hook
    from sweeps.config.hooks import locate, program_files, source_folder
    from sweeps.config.hydra_errors import composition_errors
    from sweeps.config.metrics import check_metric, check_tags
    from sweeps.config.named import locate_option, takes_argument
    from sweeps.config.objectives import Objective, parse_objective
    from sweeps.config.options import (
        SCHEDULERS,
        AshaConfig,
        CustomSchedulerConfig,
        FrameworkConfig,
        MedianConfig,
        PBTConfig,
        RayConfig,
        SchedulerConfig,
        SearchConfig,
        SweepConfig,
        framework_keys,
        framework_section,
        objectives_of,
        parse_framework_config,
        register_options,
    )
    from sweeps.config.overrides import check_against, check_overrides
    from sweeps.config.schema import (
        check_ranges,
        check_text,
        option,
        parse,
        register_kinds,
        section,
    )

_MODULES = {
    "Application": "application",
    "AshaConfig": "options",
    "CustomSchedulerConfig": "options",
    "Composer": "compose",
    "FrameworkConfig": "options",
    "MedianConfig": "options",
    "Objective": "objectives",
    "PBTConfig": "options",
    "RayConfig": "options",
    "SCHEDULERS": "options",
    "SchedulerConfig": "options",
    "SearchConfig": "options",
    "SweepConfig": "options",
    "check_against": "overrides",
    "check_application": "application",
    "check_hook": "hook_check",
    "check_metric": "metrics",
    "check_overrides": "overrides",
    "check_ranges": "schema",
    "check_tags": "metrics",
    "check_text": "schema",
    "composition_errors": "hydra_errors",
    "framework_keys": "options",
    "framework_section": "options",
    "register_options": "options",
    "locate": "hooks",
    "locate_option": "named",
    "objectives_of": "options",
    "option": "schema",
    "parse": "schema",
    "parse_framework_config": "options",
    "parse_objective": "objectives",
    "parse_override": "grammar",
    "parse_overrides": "grammar",
    "quoted": "grammar",
    "read_application": "application",
    "register_kinds": "schema",
    "section": "schema",
    "program_files": "hooks",
    "source_folder": "hooks",
    "takes_argument": "named",
}
"""Public name -> the module below that it is imported from at its first use (PEP 562)."""

__all__ = [
    "SCHEDULERS",
    "Application",
    "AshaConfig",
    "Composer",
    "CustomSchedulerConfig",
    "FrameworkConfig",
    "MedianConfig",
    "Objective",
    "PBTConfig",
    "RayConfig",
    "SchedulerConfig",
    "SearchConfig",
    "SweepConfig",
    "check_against",
    "check_application",
    "check_hook",
    "check_metric",
    "check_overrides",
    "check_ranges",
    "check_tags",
    "check_text",
    "composition_errors",
    "framework_keys",
    "framework_section",
    "locate",
    "locate_option",
    "objectives_of",
    "option",
    "parse",
    "parse_framework_config",
    "parse_objective",
    "parse_override",
    "parse_overrides",
    "program_files",
    "quoted",
    "read_application",
    "register_kinds",
    "register_options",
    "section",
    "source_folder",
    "takes_argument",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
