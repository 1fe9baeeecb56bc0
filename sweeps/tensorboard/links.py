"""Links to TensorBoard's Time Series page with its filters filled in for a sweep's axes. Pure."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import quote, urlencode

from sweeps.labels import MAX_VALUES, MISSING, sort_labels

FEW_VALUES = 5
"""An axis with more gets no link for each of them."""


class Link(NamedTuple):
    """An address, and what it shows."""

    shows: str
    runs: int
    """How many runs its filter selects."""
    url: str


class Dashboard(NamedTuple):
    """What every link has in common."""

    url: str
    """Of TensorBoard, ending in a slash."""
    pinned: Sequence[str] = ()
    """Tags of the scalars whose cards stand at the top."""
    tags: str = ""
    """Expression that selects cards; empty: all."""


def dashboard_url(view: Dashboard, runs: str = "", colour: str = "") -> str:
    """The address of the Time Series page.

    Args:
      view: what it shows.
      runs: expression that selects runs; empty: all.
      colour: expression with a group, whose text gives a run its colour; empty: each its own.
    """
    cards = [{"plugin": "scalars", "tag": tag} for tag in view.pinned]
    query = {
        "runFilter": runs,
        "tagFilter": view.tags,
        "runColorGroup": f"regex:{colour}" if colour else "",
        "pinnedCards": json.dumps(cards, separators=(",", ":")) if cards else "",
    }
    given = {key: value for key, value in query.items() if value}
    # Everything is encoded but letters, digits and _.-~: a terminal that makes addresses clickable
    # ends one at a bracket, a quote or a comma.
    encoded = urlencode(given, quote_via=quote, safe="")
    return f"{view.url}?{encoded}#timeseries" if encoded else f"{view.url}#timeseries"


def sweep_links(
    view: Dashboard, folder: str, axes: Sequence[str], runs: Mapping[str, Mapping[str, str]]
) -> list[Link]:
    """Links for one sweep: all of it, coloured by each axis, and each value of an axis with few.

    Args:
      view: what they show.
      folder: the sweep's in TensorBoard's run names; empty where these begin with the trial's.
      axes: short names.
      runs: name -> label of each axis, in the axes' order.
    """
    start = f"^{escape_regex(folder)}/" if folder else ""
    found = [Link("all", len(runs), dashboard_url(view, start))]
    for axis in axes:
        values = sort_labels(settings.get(axis, MISSING) for settings in runs.values())
        if not 1 < len(values) <= MAX_VALUES:
            continue
        before = f"{start or '^'}(?:.*,)?{escape_regex(axis)}="
        coloured = dashboard_url(view, start, f"{before}([^,]+),")
        found.append(Link(f"coloured by {axis}", _count(before, runs), coloured))
        for value in values if len(values) <= FEW_VALUES else ():
            expression = f"{before}{escape_regex(value)},"
            found.append(
                Link(f"{axis}={value}", _count(expression, runs), dashboard_url(view, expression))
            )
    return [link for link in found if link.runs]


def _count(expression: str, names: Iterable[str]) -> int:
    """How many names match. Long ones lack their last axes, so this may be none."""
    return sum(re.search(expression, name, re.IGNORECASE) is not None for name in names)


def escape_regex(text: str) -> str:
    """Text as an expression that JavaScript and Python read alike."""
    return re.sub(r"([.^$*+?()\[\]{}|\\])", r"\\\1", text)
