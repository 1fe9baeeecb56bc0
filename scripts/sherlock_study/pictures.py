"""The pictures of docs/sherlock.md: plotly's charts, drawn and saved by Chromium."""

import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from benchmarks.tensorboard.browser import browser
from scripts.sherlock_study import published
from scripts.sherlock_study.tables import RULES, saturated
from scripts.sherlock_study.trials import StudyTrial, pick

BLUE, ORANGE, GREEN, RED, GREY = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#777777"
"""Colours of Okabe and Ito, which the colour-blind can distinguish."""
SIZE = {"width": 1100, "height": 420}
MILLISECONDS = 180_000
"""Time for the browser to draw one, on a machine that may train at the same time."""
LOG = {"type": "log", "tickvals": [n * 10**k for k in range(4) for n in (1, 2, 5)]}
"""A logarithmic axis, labelled at 1, 2, 5, ..., 5000."""


def panels(*titles: str) -> go.Figure:
    """An empty figure with a panel for each title."""
    figure = make_subplots(cols=len(titles), subplot_titles=titles, horizontal_spacing=0.08)
    figure.update_layout(
        template="plotly_white",
        font={"size": 13},
        margin={"l": 60, "r": 20, "t": 50, "b": 50},
        legend={"orientation": "h", "y": -0.2},
        **SIZE,
    )
    return figure


def line(
    figure: go.Figure,
    panel: int,
    points: tuple[Sequence[float], Sequence[float]],
    name: str,
    color: str,
    **more: Any,
) -> None:
    """Add a curve; one that is in several panels stands once in the legend."""
    known = name in {trace.name for trace in figure.data}
    style = {"color": color, "width": 2, **more.pop("line", {})}
    figure.add_scatter(
        x=points[0],
        y=points[1],
        name=name,
        line=style,
        legendgroup=name,
        showlegend=not known,
        row=1,
        col=panel,
        **{"mode": "lines", **more},
    )


def trace(trials: Sequence[StudyTrial]) -> go.Figure:
    """Loss over epochs beside the study's, with the level of the word frequencies."""
    figure = panels("NCE", "the first ten epochs")
    theirs = list(published.TRACE), list(published.TRACE.values())
    for panel, most in ((1, 75), (2, 10)):
        line(figure, panel, theirs, "study", GREY, mode="lines+markers")
        for predict, color in (("last", BLUE), ("all", ORANGE)):
            if (found := pick(trials, predict=predict)) is not None:
                line(figure, panel, found.series("train/loss"), f"predict={predict}", color)
        figure.add_hline(published.UNIGRAM, line_dash="dot", line_color=GREY, row=1, col=panel)
        figure.update_xaxes(title="epoch", range=[0, most], row=1, col=panel)
        figure.update_yaxes(range=[1.5, 8], row=1, col=panel)
    return figure


def layers(trials: Sequence[StudyTrial]) -> go.Figure:
    """Eight layer sizes, coloured by the hidden layer's width."""
    figure = panels("NCE", "perplexity of the validation split")
    for width, color in (("64", ORANGE), ("96", BLUE)):
        for trial in trials:
            if trial.setting("hidden_size") == width:
                for panel, tag in ((1, "train/loss"), (2, "valid/perplexity")):
                    line(figure, panel, trial.series(tag), f"hidden {width}", color)
    figure.update_xaxes(title="epoch")
    if ends := [trial.ends[-1]["train/loss"] for trial in trials if trial.ends]:
        figure.update_yaxes(range=[0.95 * min(ends), 1.5 * max(ends)], row=1, col=1)
    figure.update_yaxes(**LOG, row=1, col=2)
    return figure


def optimizers(trials: Sequence[StudyTrial]) -> go.Figure:
    """Update rules over epochs and over seconds of training."""
    figure = panels("over epochs", "over seconds of training")
    for (name, rule), color in zip(RULES.items(), (BLUE, ORANGE, GREEN), strict=True):
        if (found := pick(trials, experiment=name)) is not None:
            line(figure, 1, found.series("train/loss"), rule, color)
            timed = [(seconds, row["train/loss"]) for seconds, row in found.seconds()]
            line(figure, 2, ([x for x, _ in timed], [y for _, y in timed]), rule, color)
    figure.update_yaxes(**LOG, title="NCE")
    return figure


def basic_rnn(trials: Sequence[StudyTrial]) -> go.Figure:
    """The basic RNN's loss, gradient and saturation."""
    figure = panels("NCE", "gradient norm", "share of saturated outputs")
    for steps, color in (("3", ORANGE), ("5", BLUE), ("10", GREEN)):
        if (found := pick(trials, sequence_length=steps)) is not None:
            for panel, tag in ((1, "train/loss"), (2, "train/grad_norm")):
                line(figure, panel, found.series(tag), f"{steps} steps", color)
            looks = found.series("within/saturation/layer_1/out")
            line(figure, 3, looks, f"{steps} steps", color)
    figure.update_xaxes(title="epoch")
    for panel in (1, 2):
        figure.update_yaxes(**LOG, row=1, col=panel)
    return figure


def saturation(trials: Sequence[StudyTrial]) -> go.Figure:
    """Learning rates: loss, and saturated units."""
    figure = panels("NCE", "share of saturated tanh(cell state)")
    rates = ("0.001", "0.01", "0.03", "0.1")
    for rate, color in zip(rates, (RED, ORANGE, BLUE, GREEN), strict=True):
        if (found := pick(trials, learning_rate=rate)) is not None:
            line(figure, 1, found.series("train/loss"), rate, color)
            looks = [row["time/epoch"] for row in found.rows if _looked(row)]
            line(figure, 2, (looks, saturated(found)), rate, color)
    figure.update_xaxes(title="epoch")
    figure.update_yaxes(**LOG, row=1, col=1)
    return figure


def _looked(row: Mapping[str, float]) -> bool:
    return "within/saturation/layer_1/cell_out" in row


def held_out(trials: Sequence[StudyTrial]) -> go.Figure:
    """Training loss and validation loss over epochs."""
    figure = panels("NCE, training text", "perplexity, validation text")
    lowest = math.inf
    for predict, color in (("last", BLUE), ("all", ORANGE)):
        if (found := pick(trials, predict=predict)) is not None:
            name = f"predict={predict}"
            line(figure, 1, found.series("train/loss"), name, color)
            epochs, perplexities = found.series("valid/perplexity")
            line(figure, 2, (epochs, perplexities), name, color, mode="lines+markers")
            lowest = min([lowest, *perplexities])
    figure.update_xaxes(title="epoch")
    figure.update_yaxes(range=[1.5, 8], row=1, col=1)
    if lowest < math.inf:
        figure.update_yaxes(range=[0.9 * lowest, 2 * lowest], row=1, col=2)
    return figure


PICTURES: dict[str, tuple[str, Callable[[Sequence[StudyTrial]], go.Figure]]] = {
    "sherlock_trace": ("sherlock_predict", trace),
    "sherlock_layers": ("sherlock_layers", layers),
    "sherlock_optimizers": ("sherlock_optimizer", optimizers),
    "sherlock_basic_rnn": ("sherlock_basic_rnn", basic_rnn),
    "sherlock_saturation": ("sherlock_learning_rate", saturation),
    "sherlock_held_out": ("sherlock_predict", held_out),
}
"""File -> the sweep that it shows, and how."""


def save(figures: Mapping[str, go.Figure], folder: Path, chromium: str | None) -> None:
    """Draw figures in a browser and save each as `<name>.png`."""
    with browser(chromium) as opened:
        draw(opened, figures, folder)


def draw(opened: Any, figures: Mapping[str, go.Figure], folder: Path) -> None:
    """Draw figures in a browser that is open, and save each as `<name>.png`."""
    page = opened.new_page(viewport=SIZE)
    page.set_default_timeout(MILLISECONDS)
    with tempfile.TemporaryDirectory() as place:
        for name, figure in figures.items():
            html = Path(place, f"{name}.html")
            figure.write_html(html, config={"staticPlot": True})
            page.goto(html.as_uri())
            page.wait_for_selector(".plotly .main-svg")
            page.locator(".plotly").first.screenshot(path=folder / f"{name}.png")
    page.close()
