"""Which charts TensorBoard's Custom Scalars tab shows for a sweep. Pure."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

Charts = Mapping[str, Sequence[str]]
"""Title -> tags whose curves it shows together."""


class Lines(NamedTuple):
    """Curves of every run, a line each."""

    tags: Sequence[str]


class Band(NamedTuple):
    """A curve with a band around it; three tags."""

    value: str
    lower: str
    upper: str


Layout = Mapping[str, Mapping[str, Lines | Band]]
"""Heading -> title -> chart."""


def chart_layout(charts: Charts, replicate: str | None) -> Layout:
    """The charts; with replicates, also one for each tag with its mean and deviation.

    Args:
      charts: as the application has them.
      replicate: short name of the axis whose values repeat a setting; None: there is none.
    """
    # TensorBoard merges headings and charts that are the same in several sweeps.
    found: dict[str, Mapping[str, Lines | Band]] = {}
    if charts:
        found["Curves"] = {title: Lines(list(tags)) for title, tags in charts.items()}
    if charts and replicate:
        bands = {tag: band_tags(tag, replicate) for tag in chart_tags(charts)}
        found[f"Mean and deviation over {replicate}"] = bands
    return found


def chart_tags(charts: Charts) -> list[str]:
    """All tags, once each."""
    return list(dict.fromkeys(tag for tags in charts.values() for tag in tags))


def band_tags(tag: str, replicate: str) -> Band:
    """Tags of a mean and of what lies one deviation below and above it.

    None of them is the tag itself: of a run that has some of the three, TensorBoard complains that
    it lacks the others.
    """
    below = f"{aggregate_name(replicate)}/{tag}"
    return Band(f"{below}/mean", f"{below}/lower", f"{below}/upper")


def aggregate_name(replicate: str) -> str:
    """What aggregates over an axis are called."""
    return f"over_{replicate}"
