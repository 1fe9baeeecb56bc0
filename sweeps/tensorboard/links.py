"""Links to TensorBoard's Time Series dashboard, with filters for the axes of a sweep. Pure."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import quote, urlencode

from sweeps.labels import MAX_VALUES, MISSING, sort_labels

FEW_VALUES = 5
"""An axis with more values gets no link for each of them."""
UNSMOOTHED = {"smoothing": "0"}
"""TensorBoard's own smoothing of 0.6 moves the end of a short curve by some percent."""


class Link(NamedTuple):
    """A URL of TensorBoard with a run filter."""

    shows: str
    """Short description of the selected runs: `all`, `coloured by AXIS`, `AXIS=VALUE`."""
    axis: str
    """Axis that it colours by, or selects a value of; empty: none."""
    runs: int
    """Number of runs that the filter selects."""
    url: str


class Dashboard(NamedTuple):
    """The part of the Time Series dashboard's state that all links share."""

    url: str
    """URL of TensorBoard, ending in a slash."""
    pinned: Sequence[str] = ()
    """Tags of the scalars whose cards stand at the top. A filter of tags would hide them."""


def dashboard_url(dashboard: Dashboard, runs: str = "", colour: str = "") -> str:
    """Return the URL of the Time Series dashboard.

    Args:
      dashboard: what all links share.
      runs: regular expression that selects runs; empty: all.
      colour: regular expression with one group; runs with equal text in the group have one colour.
        Empty: each run has its own.
    """
    cards = [{"plugin": "scalars", "tag": tag} for tag in dashboard.pinned]
    query = {
        "runFilter": runs,
        "runColorGroup": f"regex:{colour}" if colour else "",
        "pinnedCards": json.dumps(cards, separators=(",", ":")) if cards else "",
    }
    given = {key: value for key, value in query.items() if value} | UNSMOOTHED
    # Everything is encoded but letters, digits and _.-~: a terminal that makes addresses clickable
    # ends one at a bracket, a quote or a comma.
    encoded = urlencode(given, quote_via=quote, safe="")
    return f"{dashboard.url}?{encoded}#timeseries"


def sweep_links(
    dashboard: Dashboard, folder: str, axes: Sequence[str], runs: Mapping[str, Mapping[str, str]]
) -> list[Link]:
    """Return the links for one sweep.

    There is one for all its runs, one that colours them by each axis, and one for each value of an
    axis with few values.

    Args:
      dashboard: what all links share.
      folder: the sweep's folder in TensorBoard's run names; empty where these begin with the
        trial's name.
      axes: short names.
      runs: run name -> axis -> label.
    """
    start = f"^{escape_regex(folder)}/" if folder else ""
    found = [Link(shows="all", axis="", runs=len(runs), url=dashboard_url(dashboard, start))]
    for axis in axes:
        values = sort_labels(settings.get(axis, MISSING) for settings in runs.values())
        if not 1 < len(values) <= MAX_VALUES:
            continue
        prefix = f"{start or '^'}(?:.*,)?{escape_regex(axis)}="
        url = dashboard_url(dashboard, start, f"{prefix}([^,]+),")
        shows = f"coloured by {axis}"
        found.append(Link(shows=shows, axis=axis, runs=_count(prefix, runs), url=url))
        for value in values if len(values) <= FEW_VALUES else ():
            matches = f"{prefix}{escape_regex(value)},"
            url = dashboard_url(dashboard, matches)
            shows = f"{axis}={value}"
            found.append(Link(shows=shows, axis=axis, runs=_count(matches, runs), url=url))
    return [link for link in found if link.runs]


def _count(expression: str, names: Iterable[str]) -> int:
    """Return how many names match. Long names lack their last axes, so none may match."""
    return sum(re.search(expression, name, re.IGNORECASE) is not None for name in names)


def escape_regex(text: str) -> str:
    """Return a regular expression that matches a text in JavaScript and in Python."""
    return re.sub(r"([.^$*+?()\[\]{}|\\])", r"\\\1", text)
