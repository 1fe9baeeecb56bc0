"""The charts of TensorBoard's Custom Scalars tab for a sweep.

They stand in an event file in the sweep's own folder. TensorBoard merges headings and charts that
are equal in several sweeps.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tensorboard.plugins.custom_scalar.layout_pb2 import (
    Category,
    Chart,
    MarginChartContent,
    MultilineChartContent,
)
from tensorboard.plugins.custom_scalar.layout_pb2 import Layout as LayoutProto

from sweeps.naming import short_keys
from sweeps.store import Sweep
from sweeps.tensorboard.event_file import EVENT_FILES, EventWriter, read_values
from sweeps.tensorboard.protos import plugin_value, string_tensor

LAYOUT_TAG = "custom_scalars__config__"

Charts = Mapping[str, Sequence[str]]
"""Title -> tags whose curves one chart shows together."""


class Lines(NamedTuple):
    """A chart with a line for each tag of each run."""

    tags: Sequence[str]


class Band(NamedTuple):
    """A chart of one curve with a band around it: three tags."""

    value: str
    lower: str
    upper: str


Layout = Mapping[str, Mapping[str, Lines | Band]]
"""Heading -> title -> chart."""


def write_charts(sweep: Sweep, charts: Charts) -> None:
    """Write the charts into the sweep's own folder, if they are not there already.

    Raises:
      UserError: the folder cannot be written.
    """
    layout = chart_layout(charts, replicate_name(sweep))
    wanted = [layout_value(layout)] if layout else []
    earlier = sorted(sweep.folder.glob(EVENT_FILES))
    if [value for path in earlier for value in read_values(path)] == wanted:
        return
    for path in earlier:
        path.unlink(missing_ok=True)
    if wanted:
        writer = EventWriter(sweep.folder, start=None)
        writer.write_values(wanted)
        writer.close()


def read_charts(folder: Path) -> Charts:
    """Return the charts that `write_charts` wrote into a sweep's own folder; none if it did not."""
    charts: dict[str, list[str]] = {}
    for path in sorted(folder.glob(EVENT_FILES)):
        for value in read_values(path):
            if value.tag != LAYOUT_TAG:
                continue
            layout = LayoutProto.FromString(value.tensor.string_val[0])
            for category in layout.category:
                for chart in category.chart:
                    if chart.HasField("multiline"):
                        charts[chart.title] = [_unescaped(tag) for tag in chart.multiline.tag]
    return charts


def chart_layout(charts: Charts, replicate: str | None) -> Layout:
    """Return the layout of the charts; with replicates, also a band chart for each tag.

    Args:
      charts: the application's charts.
      replicate: short name of the axis whose values repeat a setting; None: there is none.
    """
    layout: dict[str, Mapping[str, Lines | Band]] = {}
    if charts:
        layout["Curves"] = {title: Lines(list(tags)) for title, tags in charts.items()}
    if charts and replicate:
        bands = {tag: band_tags(tag, replicate) for tag in chart_tags(charts)}
        layout[f"Mean and deviation over {replicate}"] = bands
    return layout


def chart_tags(charts: Charts) -> list[str]:
    """Return the tags of all charts, each once."""
    return list(dict.fromkeys(tag for tags in charts.values() for tag in tags))


def band_tags(tag: str, replicate: str) -> Band:
    """Return the tags of a curve's mean, and of the curves one deviation below and above it.

    None of them is the curve's own tag. In a run that has some of the three tags, TensorBoard
    complains that the others are missing.
    """
    prefix = f"{aggregate_name(replicate)}/{tag}"
    return Band(value=f"{prefix}/mean", lower=f"{prefix}/lower", upper=f"{prefix}/upper")


def aggregate_name(replicate: str) -> str:
    """Return the folder and tag prefix of means over an axis."""
    return f"over_{replicate}"


def replicate_name(sweep: Sweep) -> str | None:
    """Return the short name of the axis whose values repeat a setting, or None."""
    short = dict(zip(sweep.axes, short_keys(sweep.axes), strict=True))
    return short.get(sweep.replicate or "")


def layout_value(layout: Layout) -> Any:
    """Return a layout as a `Summary.Value`."""
    categories = [
        Category(title=title, chart=[_chart(name, content) for name, content in charts.items()])
        for title, charts in layout.items()
    ]
    content = LayoutProto(category=categories).SerializeToString()
    return plugin_value(LAYOUT_TAG, "custom_scalars", string_tensor(content))


def _chart(title: str, content: Lines | Band) -> Any:
    if isinstance(content, Band):
        series = MarginChartContent.Series(**content._asdict())
        return Chart(title=title, margin=MarginChartContent(series=[series]))
    exactly = [f"{re.escape(tag)}$" for tag in content.tags]
    return Chart(title=title, multiline=MultilineChartContent(tag=exactly))


def _unescaped(expression: str) -> str:
    """Return the tag that a chart's regular expression matches."""
    return re.sub(r"\\(.)", r"\1", expression.removesuffix("$"))
