"""Options of a sweep, the application's hooks, and the composition of trials.

Each name is imported when it is first used: workers need the hooks alone.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweeps.config.application import Application, check_application, read_application
    from sweeps.config.compose import Composer
    from sweeps.config.grammar import parse_override, parse_overrides, quoted
    from sweeps.config.hooks import check_hook, locate, source_folder
    from sweeps.config.hydra_errors import composition_errors
    from sweeps.config.metrics import check_metric, check_tags
    from sweeps.config.options import (
        SCHEDULERS,
        AshaConfig,
        FrameworkConfig,
        MedianConfig,
        PBTConfig,
        RayConfig,
        SchedulerConfig,
        SearchConfig,
        SweepConfig,
        parse_framework_config,
    )
    from sweeps.config.overrides import check_overrides
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
    "Composer": "compose",
    "FrameworkConfig": "options",
    "MedianConfig": "options",
    "PBTConfig": "options",
    "RayConfig": "options",
    "SCHEDULERS": "options",
    "SchedulerConfig": "options",
    "SearchConfig": "options",
    "SweepConfig": "options",
    "check_application": "application",
    "check_hook": "hooks",
    "check_metric": "metrics",
    "check_overrides": "overrides",
    "check_ranges": "schema",
    "check_tags": "metrics",
    "check_text": "schema",
    "composition_errors": "hydra_errors",
    "locate": "hooks",
    "option": "schema",
    "parse": "schema",
    "parse_framework_config": "options",
    "parse_override": "grammar",
    "parse_overrides": "grammar",
    "quoted": "grammar",
    "read_application": "application",
    "register_kinds": "schema",
    "section": "schema",
    "source_folder": "hooks",
}
"""Public name -> the module below that it is imported from at its first use (PEP 562)."""

__all__ = [
    "SCHEDULERS",
    "Application",
    "AshaConfig",
    "Composer",
    "FrameworkConfig",
    "MedianConfig",
    "PBTConfig",
    "RayConfig",
    "SchedulerConfig",
    "SearchConfig",
    "SweepConfig",
    "check_application",
    "check_hook",
    "check_metric",
    "check_overrides",
    "check_ranges",
    "check_tags",
    "check_text",
    "composition_errors",
    "locate",
    "option",
    "parse",
    "parse_framework_config",
    "parse_override",
    "parse_overrides",
    "quoted",
    "read_application",
    "register_kinds",
    "section",
    "source_folder",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
