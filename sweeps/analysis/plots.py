"""Figures of the trials of a comparison, for notebooks, by Plotly."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import accumulate
from typing import Any, TypeGuard

import plotly.graph_objects as go
from plotly.colors import qualitative, sample_colorscale
from plotly.subplots import make_subplots

from sweeps.analysis.comparison import Comparison, reported_tags
from sweeps.analysis.importance import axis_importance
from sweeps.analysis.ranking import ScoredTrial
from sweeps.analysis.replicates import mean_and_deviation
from sweeps.analysis.tables import texts_of
from sweeps.analysis.value_texts import ValueTexts
from sweeps.errors import UserError, did_you_mean
from sweeps.io.console import count_text, format_number
from sweeps.labels import MISSING, are_numbers, label_ranges, parse_number, sort_labels
from sweeps.naming import short_keys
from sweeps.store import read_metrics

LOG_SPAN = 100.0
"""Ratio of the largest to the smallest positive number from which an axis is logarithmic."""
MAX_POINTS = 2000
"""Most points of a curve."""
MAX_LEGEND = 20
"""Most lines that a legend lists."""
MAX_PANELS = 4
"""Most panels beside each other."""
TICK_WIDTH = 24
"""Most characters of a value at an axis; the whole value stands in the hover text."""


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
    names, texts = _names(comparison), texts_of(comparison.trials)
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
                hovertemplate=_hover(one, names, texts)
                + "<br>step %{x}<br>%{y:.6g}<extra></extra>",
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
    names, texts = _names(comparison), texts_of(comparison.trials)
    columns = [
        _dimension(names[axis], [one.settings[axis] for one in scored], partial(texts, axis))
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


def slices(comparison: Comparison, axes: Sequence[str] = ()) -> go.Figure:
    """Plot the best value of each trial against its value of an axis, a panel for each axis.

    A trial without a finite value, as one that diverged, is a cross at the worst values' edge.

    Args:
      comparison: the ranked trials.
      axes: keys in full, or their short forms; none: all axes in which trials differ.

    Raises:
      UserError: an axis is none of the comparison's.
    """
    title = f"{', '.join(comparison.names)}: best {comparison.metric}"
    chosen = [_axis_key(comparison, axis) for axis in axes] or varied_axes(comparison)
    finite = [one.best for one in comparison.trials if _is_finite(one.best)]
    if not finite or not chosen:
        why = "no axis has two values" if finite else _nothing(comparison)
        return _empty(f"{title}: {why}")
    worst = max(finite) if comparison.mode == "min" else min(finite)
    names, texts = _names(comparison), texts_of(comparison.trials)
    columns = min(len(chosen), MAX_PANELS)
    figure = make_subplots(
        rows=-(-len(chosen) // columns), cols=columns, shared_yaxes=True, vertical_spacing=0.15
    )
    for place, axis in enumerate(chosen):
        row, column = divmod(place, columns)
        points, kind = _slice(comparison, axis, worst, names, texts)
        figure.add_trace(points, row=row + 1, col=column + 1)
        figure.update_xaxes(title_text=plain(names[axis]), row=row + 1, col=column + 1, **kind)
        figure.update_yaxes(row=row + 1, col=column + 1, **_axis(finite))
    figure.update_yaxes(title_text=plain(f"best {comparison.metric}"), col=1)
    figure.update_layout(template="plotly_white", title=plain(title))
    return figure


def _slice(
    comparison: Comparison, axis: str, worst: float, names: Mapping[str, str], texts: ValueTexts
) -> tuple[go.Scatter, dict[str, Any]]:
    """A panel's points, and the axis below them; what has no finite value stands at `worst`."""
    known = [one for one in comparison.trials if one.settings[axis] != MISSING]
    labels = [one.settings[axis] for one in comparison.trials]
    is_numeric = are_numbers(labels)
    lost = [not _is_finite(one.best) for one in known]
    points = go.Scatter(
        x=[
            parse_number(one.settings[axis])
            if is_numeric
            else plain(texts(axis, one.settings[axis]))
            for one in known
        ],
        y=[worst if gone else one.best for one, gone in zip(known, lost, strict=True)],
        mode="markers",
        marker={
            "symbol": ["x" if gone else "circle" for gone in lost],
            "color": ["#d62728" if gone else "#1f77b4" for gone in lost],
            "size": 8,
        },
        hovertemplate=[_hover(one, names, texts) + "<extra></extra>" for one in known],
        showlegend=False,
    )
    if is_numeric:
        return points, _axis([number for x in labels if (number := parse_number(x)) is not None])
    order = [plain(texts(axis, label)) for label in sort_labels(labels)]
    category = {"type": "category", "categoryorder": "array", "categoryarray": order}
    return points, category | _short_ticks(axis, labels, texts)


def history(comparison: Comparison) -> go.Figure:
    """Plot the best value of each trial in the order in which trials ended, and the best so far."""
    title = f"{', '.join(comparison.names)}: best {comparison.metric}"
    ended = [
        (rows[-1]["wall_time"], one)
        for one in comparison.trials
        if one.counted and (rows := read_metrics(one.trial.directory / "metrics.csv"))
    ]
    if not ended:
        return _empty(f"{title}: {_nothing(comparison)}")
    order = [one for _, one in sorted(ended, key=lambda pair: pair[0])]
    values = [one.best for one in order if one.best is not None]
    better = min if comparison.mode == "min" else max
    names, texts = _names(comparison), texts_of(comparison.trials)
    places = list(range(1, len(values) + 1))
    figure = go.Figure()
    figure.add_trace(
        go.Scatter(
            x=places,
            y=values,
            mode="markers",
            name="trial",
            hovertemplate=[_hover(one, names, texts) + "<extra></extra>" for one in order],
        )
    )
    so_far = list(accumulate(values, better))
    line = {"shape": "hv", "width": 2}
    figure.add_trace(go.Scatter(x=places, y=so_far, mode="lines", name="best so far", line=line))
    figure.update_layout(
        template="plotly_white",
        title=plain(title),
        xaxis={"title": "trials, in the order in which they ended"},
        yaxis={"title": plain(f"best {comparison.metric}"), **_axis(values)},
    )
    return figure


def heatmap(comparison: Comparison, x: str = "", y: str = "") -> go.Figure:
    """Plot the mean best value over two axes, finished and stopped trials.

    Args:
      comparison: the ranked trials.
      x: axis in full or its short form; empty: the most important one.
      y: the same; empty: the most important one but `x`.

    Raises:
      UserError: an axis is none of the comparison's.
    """
    title = f"{', '.join(comparison.names)}: mean best {comparison.metric}"
    given = [_axis_key(comparison, axis) for axis in (x, y) if axis]
    shares = axis_importance(comparison.trials, comparison.axes).shares
    rest = [axis for axis in (*shares, *varied_axes(comparison)) if axis not in given]
    rest = list(dict.fromkeys(rest))
    if len(given) + len(rest) < 2:
        return _empty(f"{title}: there are no two axes in which trials differ")
    across = _axis_key(comparison, x) if x else rest.pop(0)
    down = _axis_key(comparison, y) if y else rest.pop(0)
    names, texts = _names(comparison), texts_of(comparison.trials)
    parts = [
        label_ranges(one.settings[axis] for one in comparison.trials) for axis in (across, down)
    ]
    if not any(one.counted for one in comparison.trials):
        return _empty(f"{title}: {_nothing(comparison)}")
    cells = [
        [
            mean_and_deviation(
                [
                    one.best
                    for one in comparison.trials
                    if one.counted
                    and one.best is not None
                    and one.settings[across] in columns
                    and one.settings[down] in rows
                ]
            )[0]
            for columns in parts[0].values()
        ]
        for rows in parts[1].values()
    ]
    figure = go.Figure(
        go.Heatmap(
            x=[plain(texts(across, name, TICK_WIDTH)) for name in parts[0]],
            y=[plain(texts(down, name, TICK_WIDTH)) for name in parts[1]],
            z=cells,
            texttemplate="%{z:.4g}",
            colorscale="Viridis",
            reversescale=comparison.mode == "max",
            hoverongaps=False,
        )
    )
    figure.update_layout(
        template="plotly_white",
        title=plain(title),
        xaxis={"title": plain(names[across]), "type": "category"},
        yaxis={"title": plain(names[down]), "type": "category", "automargin": True},
    )
    return figure


def varied_axes(comparison: Comparison) -> list[str]:
    """Return the axes in which trials differ."""
    return [
        axis
        for axis in comparison.axes
        if len({one.settings[axis] for one in comparison.trials} - {MISSING}) > 1
    ]


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
            hovertemplate="%{hovertext}: %{x:.0%}<extra></extra>",
        )
    )
    figure.update_layout(
        template="plotly_white",
        title=plain(f"{title}, {count_text(shares.trials, 'trial')}"),
        xaxis={"title": "share of the variance", "tickformat": ".0%", "rangemode": "tozero"},
        yaxis={"type": "category", "automargin": True},
    )
    return figure


def plain(text: str) -> str:
    """Return a text in which Plotly reads no HTML and no template of a hover text."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("%{", "&#37;{")


def _axis_key(comparison: Comparison, name: str) -> str:
    """An axis in full, of its key or its short form."""
    keys = {short: key for key, short in _names(comparison).items()}
    if name in comparison.axes or name in keys:
        return name if name in comparison.axes else keys[name]
    raise UserError(f"{name} is no axis; {did_you_mean(name, comparison.axes)}.")


def _is_finite(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def _short_ticks(axis: str, labels: Sequence[str], texts: ValueTexts) -> dict[str, Any]:
    """Ticks of a category's values, of which long ones are shortened."""
    order = sort_labels(labels)
    return {
        "tickvals": list(range(len(order))),
        "ticktext": [plain(texts(axis, label, TICK_WIDTH)) for label in order],
    }


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


def _hover(one: ScoredTrial, names: Mapping[str, str], texts: ValueTexts) -> str:
    pairs = [
        f"{names[axis]}={texts(axis, label)}"
        for axis, label in one.settings.items()
        if label != MISSING
    ]
    best = f"best {format_number(one.best)}" if one.best is not None else ""
    status = f"{one.trial.status.value} at step {one.trial.step}"
    lines = [*([one.sweep] if "/" in one.name else []), *pairs, status, best]
    return "<br>".join(plain(line) for line in lines if line)


def _dimension(
    name: str, labels: Sequence[str], text_of: Callable[[str, int], str]
) -> dict[str, Any]:
    """An axis of parallel coordinates: numbers by size, names by place and with their labels."""
    numbers = [parse_number(label) for label in labels]
    known = [number for number in numbers if number is not None and math.isfinite(number)]
    if len(known) < len(labels) or not are_numbers(labels):
        order = [*sort_labels(labels), *([MISSING] if MISSING in labels else [])]
        ticktext = [plain(text_of(x, TICK_WIDTH)) for x in order]
        ticks = {"tickvals": list(range(len(order))), "ticktext": ticktext}
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
