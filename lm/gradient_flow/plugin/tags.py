"""Names that the recorder, the tab and its page share."""

PLUGIN = "lm-gradient-flow"
"""Name of the plugin in the metadata of summaries, in the tab's routes and in its address."""
PREFIX = "gradient_flow/"
"""Prefix of all tags."""
OVERVIEW = f"{PREFIX}overview"
"""Tag of a tensor, f32[components, 3]: largest contribution, sum of all, horizon in steps."""
LABELS = f"{PREFIX}labels"
"""Tag of a blob: the words read, expected and predicted, as JSON."""
VERSION = 1
"""Version of the metadata's content."""
