"""Figures of the trials of a comparison, for notebooks, by Plotly."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.colors import qualitative, sample_colorscale

from sweeps.analysis.comparison import Comparison, reported_tags
from sweeps.analysis.importance import axis_importance
from sweeps.analysis.ranking import ScoredTrial
from sweeps.errors import UserError, did_you_mean
from sweeps.io.console import format_number
from sweeps.labels import MISSING, are_numbers, parse_number, sort_labels
from sweeps.naming import short_keys
from sweeps.store import read_metrics

LOG_SPAN = 100.0
"""Ratio of the largest to the smallest positive number from which an axis is logarithmic."""
MAX_POINTS = 2000
"""Most points of a curve."""
MAX_LEGEND = 20
"""Most lines that a legend lists."""


def curves(comparison: Comparison, tag: str) -> go.Figure:
    """Plot a metric over the steps, a line for each trial; replicates have one colour.

    Raises:
      UserError: trials have reported, and none this metric.
    """
    found = [(one, *_curve(one, tag)) for one in comparison.trials]
    drawn = [(one, steps, values) for one, steps, values in found if steps]
    if not drawn:
        tags = reported_tags(comparison.trials)
        if tags and tag not in tags:
            raise UserError(f"no trial reported {tag}; {did_you_mean(tag, tags)}.")
        return _empty(f"{tag}: {_nothing(comparison)}")
    names = _names(comparison)
    groups = [_group(comparison, one) for one, _, _ in drawn]
    colours = _colours(groups)
    figure = go.Figure()
    for (one, steps, values), group in zip(drawn, groups, strict=True):
        figure.add_trace(
            go.Scatter(
                x=steps,
                y=values,
                mode="lines" if len(steps) > 1 else "markers",
                name=plain(one.name),
                line={"color": colours[group], "width": 1.5},
                hovertemplate=_hover(one, names) + "<br>step %{x}<br>%{y:.6g}<extra></extra>",
            )
        )
    xs = [step for _, steps, _ in drawn for step in steps]
    ys = [value for _, _, values in drawn for value in values if value is not None]
    figure.update_layout(
        template="plotly_white",
        title=plain(f"{', '.join(comparison.names)}: {tag}"),
        showlegend=len(drawn) <= MAX_LEGEND,
        xaxis={"title": "step", **_axis(xs)},
        yaxis={"title": plain(tag), **_axis(ys)},
    )
    return figure


def parallel(comparison: Comparison) -> go.Figure:
    """Plot each scored trial as a line over the axes in which trials differ, and its best value."""
    scored = [one for one in comparison.trials if one.best is not None and math.isfinite(one.best)]
    metric = comparison.metric
    title = f"{', '.join(comparison.names)}: best {metric}"
    if not scored:
        return _empty(f"{title}: {_nothing(comparison)}")
    names = _names(comparison)
    columns = [
        _dimension(names[axis], [one.settings[axis] for one in scored])
        for axis in comparison.axes
        if len({one.settings[axis] for one in scored}) > 1
    ]
    best = [one.best for one in scored if one.best is not None]
    is_log = _scale(best) == "log"
    shown = [math.log10(value) for value in best] if is_log else best
    last = {"label": plain(f"best {metric}"), "values": shown}
    if is_log:
        last |= _log_ticks(min(best), max(best))
    figure = go.Figure(
        go.Parcoords(
            dimensions=[*columns, last],
            line={
                "color": shown,
                "colorscale": "Viridis",
                "reversescale": comparison.mode == "max",
            },
        )
    )
    figure.update_layout(template="plotly_white", title=plain(title), margin={"t": 110})
    return figure


def importance(comparison: Comparison) -> go.Figure:
    """Plot the share of the variance of the best values that each axis explains, by fANOVA."""
    shares = axis_importance(comparison.trials, comparison.axes)
    title = f"{', '.join(comparison.names)}: importance for {comparison.metric}"
    if shares.reason:
        return _empty(f"{title}: not computed, {shares.reason}")
    names = _names(comparison)
    axes = list(shares.shares)[::-1]  # Plotly draws the first bar at the bottom
    values = [shares.shares[axis] for axis in axes]
    figure = go.Figure(
        go.Bar(
            x=values,
            y=[plain(names[axis]) for axis in axes],
            orientation="h",
            text=[f"{value:.0%}" for value in values],
            textposition="outside",
            cliponaxis=False,
            hovertext=[plain(axis) for axis in axes],
            hovertemplate="%{hovertext}: %{x:.1%}<extra></extra>",
        )
    )
    figure.update_layout(
        template="plotly_white",
        title=plain(f"{title}, {shares.trials} trials"),
        xaxis={"title": "share of the variance", "tickformat": ".0%", "rangemode": "tozero"},
        yaxis={"type": "category", "automargin": True},
    )
    return figure


def plain(text: str) -> str:
    """Return a text in which Plotly reads no HTML and no template of a hover text."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("%{", "&#37;{")


def _curve(one: ScoredTrial, tag: str) -> tuple[list[int], list[float | None]]:
    """Steps and values of a trial; None stands for what no axis can show, and leaves a gap."""
    rows = [row for row in read_metrics(one.trial.directory / "metrics.csv") if tag in row]
    if len(rows) > MAX_POINTS:
        last = len(rows) - 1
        rows = [rows[round(index * last / (MAX_POINTS - 1))] for index in range(MAX_POINTS)]
    values = [row[tag] if math.isfinite(row[tag]) else None for row in rows]
    return [int(row["step"]) for row in rows], values


def _group(comparison: Comparison, one: ScoredTrial) -> tuple[str, ...]:
    """The setting that replicates share."""
    rest = (text for axis, text in one.settings.items() if axis != comparison.replicate)
    return one.sweep, *rest


def _colours(groups: Sequence[tuple[str, ...]]) -> Mapping[tuple[str, ...], str]:
    """A colour for each setting: of different hues while there are few, else of a scale."""
    different = list(dict.fromkeys(groups))
    hues = qualitative.D3
    if len(different) <= len(hues):
        return dict(zip(different, hues, strict=False))
    shares = [place / (len(different) - 1) for place in range(len(different))]
    return dict(zip(different, sample_colorscale("Turbo", shares), strict=True))


def _hover(one: ScoredTrial, names: Mapping[str, str]) -> str:
    pairs = [f"{names[axis]}={text}" for axis, text in one.settings.items() if text != MISSING]
    best = f"best {format_number(one.best)}" if one.best is not None else ""
    status = f"{one.trial.status.value} at step {one.trial.step}"
    lines = [*([one.sweep] if "/" in one.name else []), *pairs, status, best]
    return "<br>".join(plain(line) for line in lines if line)


def _dimension(name: str, labels: Sequence[str]) -> dict[str, Any]:
    """An axis of parallel coordinates: numbers by size, names by place and with their labels."""
    numbers = [parse_number(label) for label in labels]
    known = [number for number in numbers if number is not None and math.isfinite(number)]
    if len(known) < len(labels) or not are_numbers(labels):
        order = [*sort_labels(labels), *([MISSING] if MISSING in labels else [])]
        ticks = {"tickvals": list(range(len(order))), "ticktext": [plain(x) for x in order]}
        return {"label": plain(name), "values": [order.index(x) for x in labels], **ticks}
    distinct = sorted(set(known))
    if _scale(known) == "log":
        logs = [math.log10(number) for number in known]
        ticks = (
            {
                "tickvals": [math.log10(x) for x in distinct],
                "ticktext": [f"{x:g}" for x in distinct],
            }
            if len(distinct) <= MAX_LEGEND
            else _log_ticks(distinct[0], distinct[-1])
        )
        return {"label": plain(name), "values": logs, **ticks}
    listed: dict[str, Any] = {"label": plain(name), "values": known}
    if len(distinct) <= MAX_LEGEND:
        listed |= {"tickvals": distinct, "ticktext": [f"{x:g}" for x in distinct]}
    return listed


def _log_ticks(low: float, high: float) -> dict[str, Any]:
    """Ticks at the ends and at the powers of ten between them, for values in logarithms."""
    powers = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)
    ticks = sorted({low, high, *(10.0**power for power in powers)})
    # Two ticks closer than this would be printed over each other.
    near = (math.log10(high) - math.log10(low)) / 20
    kept = [
        x
        for x in ticks
        if x in (low, high) or min(math.log10(x / low), math.log10(high / x)) > near
    ]
    return {"tickvals": [math.log10(x) for x in kept], "ticktext": [f"{x:.3g}" for x in kept]}


def _scale(numbers: Iterable[float]) -> str:
    """`log` where all numbers are positive and span two powers of ten, else `linear`."""
    known = list(numbers)
    if not known or min(known) <= 0 or max(known) < LOG_SPAN * min(known):
        return "linear"
    return "log"


def _axis(numbers: Iterable[float]) -> dict[str, Any]:
    # D2: ticks at 1, 2 and 5 times the powers of ten
    return {"type": "log", "dtick": "D2"} if _scale(numbers) == "log" else {"type": "linear"}


def _names(comparison: Comparison) -> Mapping[str, str]:
    return dict(zip(comparison.axes, short_keys(comparison.axes), strict=True))


def _nothing(comparison: Comparison) -> str:
    """Why there is nothing to draw."""
    if not comparison.trials:
        return "no run matches the filter" if comparison.filtered_out else "no trial yet"
    return comparison.unranked.rstrip(".") or "no trial has a finite value"


def _empty(title: str) -> go.Figure:
    figure = go.Figure()
    figure.update_layout(template="plotly_white", title=plain(title))
    return figure
