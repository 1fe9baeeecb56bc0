"""The charts of TensorBoard's Custom Scalars tab for a sweep.

The run of each trial carries them: a run of the sweep's own, as earlier versions wrote one, would
stand without a curve in every list of runs. TensorBoard merges headings and charts that are equal
in several runs.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
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
from sweeps.store import Sweep, TrialStatus
from sweeps.tensorboard.event_file import EVENT_FILES, append_values, read_values, remove_values
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


ENDED = (TrialStatus.FINISHED, TrialStatus.STOPPED, TrialStatus.DIVERGED, TrialStatus.FAILED)
"""Statuses of trials that no process trains."""


def write_charts(sweep: Sweep, charts: Charts) -> None:
    """Write the charts into the run of a trial that has ended, in place of other charts there.

    Trials that are trained from now on carry them by themselves (`charts_layout`). What an earlier
    version wrote into the sweep's own folder is removed.

    Raises:
      UserError: the folder cannot be written.
    """
    ended = [trial.directory for trial in sweep.trials if trial.status in ENDED]
    wanted = layout_values(charts_layout(sweep, charts))
    if ended and _layouts(ended[0].glob(EVENT_FILES)) != wanted:
        for directory in ended:
            for path in directory.glob(EVENT_FILES):
                remove_values(path, keep=lambda value: value.tag != LAYOUT_TAG)
        append_values(ended[0], wanted)
    for path in sweep.folder.glob(EVENT_FILES):
        path.unlink(missing_ok=True)


def read_charts(folder: Path) -> Charts:
    """Return the charts that a sweep's trials carry; none if they do not."""
    charts: dict[str, list[str]] = {}
    for value in _first_layout(folder):
        layout = LayoutProto.FromString(value.tensor.string_val[0])
        for category in layout.category:
            for chart in category.chart:
                if chart.HasField("multiline"):
                    charts[chart.title] = [_unescaped(tag) for tag in chart.multiline.tag]
    return charts


def _first_layout(folder: Path) -> list[Any]:
    """Return the layout of the sweep's own run, or of the first trial that carries one."""
    for paths in (folder.glob(EVENT_FILES), *([path] for path in folder.glob(f"*/{EVENT_FILES}"))):
        if found := _layouts(paths):
            return found
    return []


def _layouts(paths: Iterable[Path]) -> list[Any]:
    """Return the layouts in event files."""
    values = (value for path in sorted(paths) for value in read_values(path))
    return [value for value in values if value.tag == LAYOUT_TAG]


def charts_layout(sweep: Sweep, charts: Charts) -> bytes:
    """Return the charts of a sweep as its trials carry them; empty: there are none."""
    layout = chart_layout(charts, replicate_name(sweep))
    return _serialized(layout) if layout else b""


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


def layout_values(layout: bytes) -> list[Any]:
    """Return a layout as `Summary.Value`s: one, or none where it is empty."""
    return [plugin_value(LAYOUT_TAG, "custom_scalars", string_tensor(layout))] if layout else []


def _serialized(layout: Layout) -> bytes:
    categories = [
        Category(title=title, chart=[_chart(name, content) for name, content in charts.items()])
        for title, charts in layout.items()
    ]
    return bytes(LayoutProto(category=categories).SerializeToString())


def _chart(title: str, content: Lines | Band) -> Any:
    if isinstance(content, Band):
        series = MarginChartContent.Series(**content._asdict())
        return Chart(title=title, margin=MarginChartContent(series=[series]))
    exactly = [f"{re.escape(tag)}$" for tag in content.tags]
    return Chart(title=title, multiline=MultilineChartContent(tag=exactly))


def _unescaped(expression: str) -> str:
    """Return the tag that a chart's regular expression matches."""
    return re.sub(r"\\(.)", r"\1", expression.removesuffix("$"))
