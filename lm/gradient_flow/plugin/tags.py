"""What the recorder, the tab and its page call things."""

PLUGIN = "lm-gradient-flow"
"""In the metadata of every summary, in the tab's routes and in its address."""
PREFIX = "gradient_flow/"
OVERVIEW = f"{PREFIX}overview"
"""Tensor, f32 components x 3: largest contribution, sum of all, horizon in steps."""
LABELS = f"{PREFIX}labels"
"""Blob: what was read, to come and predicted, as JSON."""
VERSION = 1
"""Of the metadata's content."""
