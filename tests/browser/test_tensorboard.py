"""What a user sees of two sweeps in TensorBoard: filtered curves, and the inside of trials."""

import io
import re
from typing import Any
from urllib.parse import quote, urlencode

import numpy as np
import pytest
from PIL import Image

from benchmarks.tensorboard import browser

pytestmark = pytest.mark.slow

HIDDEN = "within_activations/hid_out"
CURVES = """card => [...card.querySelectorAll("line-chart path")]
    .filter(path => path.style.stroke && path.style.display !== "none")
    .map(path => path.style.stroke)"""
COLOURS = """rows => rows.map(row => [
    row.innerText.trim(), row.querySelector(".run-color-swatch").style.backgroundColor])"""
POINT = (120, 120, 220)
"""The projector's colour of a point, about."""


def timeseries(page: Any, url: str, tags: str) -> None:
    """Open the page of time series; curves are SVG there, so that they can be counted."""
    query = urlencode({"tagFilter": tags, "forceSVG": "true", "smoothing": "0"})
    page.goto(f"{url}?{query}#timeseries")
    page.locator(browser.ROWS).first.wait_for()


def test_run_filter_leaves_the_runs_that_match_and_their_curves(
    page: Any, url: str, trials: set[str]
) -> None:
    timeseries(page, url, "^train/loss$")
    page.locator("scalar-card line-chart path").first.wait_for()
    assert set(browser.listed_runs(page)) == trials  # and no run without a curve
    for expression, matches in {
        r"lr=0\.(01|1),": lambda name: "lr=0.01," in name or "lr=0.1," in name,
        "CLIP_NORM=0.*,id": lambda name: re.search("clip_norm=0.0?1,", name),
        r"momentum=0\.8": lambda name: "momentum=0.8," in name,
    }.items():
        expected = {name for name in trials if matches(name)}
        assert 0 < len(expected) < len(trials)
        browser.filter_runs(page, expression)
        browser.wait_for_rows(page, len(expected))
        colours = dict(page.locator(browser.ROWS).evaluate_all(COLOURS))
        assert set(colours) == expected
        card = page.locator("scalar-card")
        listed = card.locator("tb-data-table-content-row").all_inner_texts()
        assert {text.split()[0] for text in listed} == expected
        assert sorted(card.evaluate(CURVES)) == sorted(colours.values())


def test_histogram_cards_show_hid_out_of_each_run_that_matches(page: Any, url: str) -> None:
    timeseries(page, url, f"^{HIDDEN}$")
    browser.filter_runs(page, "clip_norm=")
    browser.wait_for_rows(page, 3)
    cards = page.locator("histogram-card", has=page.locator("tb-histogram path"))
    cards.nth(2).wait_for()
    assert cards.count() == 3
    for card in cards.all():
        assert card.locator(".tag [title]").first.get_attribute("title") == HIDDEN
        assert card.locator("tb-histogram .histograms path").count() > 3  # one a step


def test_distributions_show_hid_out(page: Any, url: str, trials: set[str]) -> None:
    page.goto(f"{url}#distributions&tagFilter={HIDDEN.replace('/', '%2F')}")
    loaders = page.locator("tf-distribution-loader", has_text=f"tag: {HIDDEN}")
    drawn = loaders.filter(has=page.locator("vz-distribution-chart path.area"))
    for name in sorted(trials)[:3]:
        drawn.filter(has_text=name).first.wait_for()


def test_projector_shows_the_embedding_as_points(page: Any, url: str) -> None:
    page.goto(f"{url}#projector")
    projector = page.frame_locator("iframe").frame_locator("iframe")
    projector.locator(".numDataPoints", has_text="300").wait_for()
    assert projector.locator(".dim", has_text="16").count()
    canvas = projector.locator("#container canvas").first

    def points() -> int:
        image = Image.open(io.BytesIO(canvas.screenshot())).convert("RGB")
        far = np.abs(np.asarray(image).astype(int) - POINT).max(axis=-1)
        return int((far < 25).sum())

    for _ in range(20):
        if points() > 500:
            return
        page.wait_for_timeout(1000)
    raise AssertionError(f"{points()} pixels have the colour of points")


def test_table_of_hyperparameters_has_a_row_a_trial(page: Any, url: str, trials: set[str]) -> None:
    page.goto(f"{url}#hparams")
    cells = page.locator("tf-hparams-table-view vaadin-grid-cell-content")
    cells.filter(has_text=",id=").nth(len(trials) - 1).wait_for()
    texts = [text.strip() for text in cells.all_inner_texts()]
    assert {"clip_norm", "lr", "momentum", "best/valid/perplexity"} <= set(texts)
    assert sorted(text for text in texts if ",id=" in text) == sorted(trials)


def test_graph_opens_the_hidden_layer(page: Any, url: str) -> None:
    page.goto(f"{url}#graphs")
    hidden = page.locator('g.node[data-name="hidden"]')
    hidden.wait_for()
    # Wherever it is by now: the graph moves into place, and a pointer could miss it.
    hidden.locator(".nodeshape").first.dispatch_event("dblclick")
    page.locator('g.node[data-name="hidden/Tanh"]').wait_for()
    inside = page.locator('g.node[data-name^="hidden/"]')
    names = set(inside.evaluate_all("nodes => nodes.map(node => node.dataset.name)"))
    assert {"hidden/MatMul", "hidden/BiasAdd", "hidden/Tanh", "hidden/kernel"} <= names
    edges = page.locator("g.edge").evaluate_all("edges => edges.map(edge => edge.textContent)")
    assert any(re.fullmatch("[0-9]+\u00d7[0-9]+\u00d716", text.strip()) for text in edges)


def test_texts_show_what_was_written_and_how_to_do_it_again(page: Any, url: str) -> None:
    contents = {
        "samples": r"step \d+\s+(\S+\s+){12}",
        "trial/config": r"python -m lm\.train .*clip_norm=",
    }
    for tag, content in contents.items():
        page.goto("about:blank")
        page.goto(f"{url}#text&tagFilter={quote(tag, safe='')}")
        shown = page.locator("tf-text-loader", has_text=f"tag: {tag}")
        shown.filter(has_text=re.compile(content)).first.wait_for()


def test_custom_scalars_show_the_layout_of_the_sweeps(page: Any, url: str) -> None:
    page.goto(f"{url}#custom_scalars")
    charts = page.locator("tf-custom-scalar-multi-line-chart-card", has_text="Matches (")
    for title in ("Loss", "Perplexity", "Gradient norm"):
        charts.filter(has_text=title).locator("path").first.wait_for()
