"""TensorBoard's entry point to the tab.

An import that fails here would keep TensorBoard from starting. So this module imports nothing but
TensorBoard's base class, and leaves the tab out where anything else fails.
"""

import logging
from typing import Any

from tensorboard.plugins import base_plugin

PLUGIN = "lm-gradient-flow"


class Loader(base_plugin.TBLoader):  # type: ignore[misc]
    """Loads the tab when TensorBoard starts."""

    def fix_flags(self, flags: Any) -> None:
        """Keep every record; by default TensorBoard would keep 10 of a component."""
        samples = getattr(flags, "samples_per_plugin", None)
        if isinstance(samples, dict):
            samples.setdefault(PLUGIN, 0)

    def load(self, context: base_plugin.TBContext) -> base_plugin.TBPlugin | None:
        """Load the tab; None where that fails, with a warning in the log."""
        try:
            from lm.gradient_flow.plugin.plugin import Plugin

            return Plugin(context)
        except Exception:
            logging.getLogger(__name__).warning("no gradient flow tab", exc_info=True)
            return None
