"""What TensorBoard imports to find the tab.

Nothing in here may fail at import, or TensorBoard would not start.
So it imports nothing but TensorBoard's base class, and leaves the tab out where anything is amiss.
"""

import logging
from typing import Any

from tensorboard.plugins import base_plugin

PLUGIN = "lm-gradient-flow"


class Loader(base_plugin.TBLoader):  # type: ignore[misc]
    """Loads the tab; TensorBoard calls it at its start."""

    def fix_flags(self, flags: Any) -> None:
        """Keep every record: TensorBoard would keep 10 of a component, unless told otherwise."""
        samples = getattr(flags, "samples_per_plugin", None)
        if isinstance(samples, dict):
            samples.setdefault(PLUGIN, 0)

    def load(self, context: base_plugin.TBContext) -> base_plugin.TBPlugin | None:
        """The tab; None where it cannot be had, which the log says."""
        try:
            from lm.gradient_flow.plugin.plugin import Plugin

            return Plugin(context)
        except Exception:
            logging.getLogger(__name__).warning("no gradient flow tab", exc_info=True)
            return None
