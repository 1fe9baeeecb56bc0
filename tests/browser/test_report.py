"""The page of a comparison in a browser: one selection through all views, kept in the address."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.report_page import make_comparison
from benchmarks.tensorboard import browser
from sweeps.analysis.importance import axis_importance
from sweeps.report import write_report

pytestmark = pytest.mark.slow

AXE = Path(__file__).parents[2] / "sweeps/report/page/node_modules/axe-core/axe.min.js"
SECONDS = 20
KEPT_ROWS = "#table tr.kept"
ROWS = "#table tbody tr[data-place]"
# Opacity of the lower canvas: faint while trials are lit above it.
DIMMED = """ids => ids.filter(id => document.querySelector(`#${id} canvas`).classList.contains(
  'dimmed'))"""
FIGURES = ["curves", "parallel", "history-figure"]

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of 60 trials: two continuous options, four with few values, some diverged."""
    folder = tmp_path_factory.mktemp("search")
    comparison = make_comparison(folder, 60)
    path = folder / "report.html"
    write_report(path, comparison, axis_importance(comparison.trials, comparison.axes))
    return path


@pytest.fixture
def open_page(chromium: Any, report: Path) -> Iterator[Open]:
    """Opens the page; an error of its program fails the test."""
    errors: list[str] = []
    pages = []

    def go(address: str = "", path: Path = report, **options: Any) -> Any:
        page = chromium.new_page(**{"viewport": {"width": 1280, "height": 900}, **options})
        page.set_default_timeout(1000 * SECONDS)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(path.as_uri() + address)
        browser.painted(page)
        pages.append(page)
        return page

    yield go
    for page in pages:
        page.close()
    assert not errors


def place_of(page: Any, row: int) -> str:
    return str(page.locator(ROWS).nth(row).get_attribute("data-place"))


def test_hovering_a_row_lights_its_trial_in_all_figures(open_page: Open) -> None:
    page = open_page()
    page.locator(ROWS).nth(3).locator("td").nth(4).hover()
    browser.painted(page)
    assert page.evaluate(DIMMED, FIGURES) == FIGURES
    page.mouse.move(2, 2)
    browser.painted(page)
    assert page.evaluate(DIMMED, FIGURES) == []


def test_hovering_a_curve_lights_its_row_and_tells_its_options(open_page: Open) -> None:
    page = open_page()
    box = page.locator("#curves").bounding_box()
    found = []
    for height in range(40, int(box["height"]) - 60, 8):
        page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + height)
        browser.painted(page)
        found += page.locator("#table tr.hovered").all()
        if found:
            break
    assert found
    words = page.locator(".tip").inner_text()
    assert "lr " in words
    assert "at step" in words


def test_click_keeps_a_trial_in_the_address_and_beside_others(open_page: Open) -> None:
    page = open_page()
    page.locator(ROWS).nth(0).locator("input").check()
    page.locator(ROWS).nth(5).locator("input").check()
    assert page.locator(KEPT_ROWS).count() == 2
    heads = page.locator("#kept thead th").all_inner_texts()
    assert len(heads) == 3
    assert heads[-1] == "difference"
    rows = page.locator("#kept tbody th").all_inner_texts()
    assert "best valid/loss" in rows
    assert "lr" in rows
    again = open_page("#" + page.url.partition("#")[2])
    assert again.locator(KEPT_ROWS).count() == 2
    assert again.evaluate(DIMMED, FIGURES) == FIGURES
    again.locator("#kept-clear").click()
    assert again.locator(KEPT_ROWS).count() == 0
    assert "keep" not in again.url


def test_brushed_range_filters_all_views_and_is_in_the_address(open_page: Open) -> None:
    page = open_page()
    axis = page.locator("#parallel .brush .overlay").nth(0)
    axis.scroll_into_view_if_needed()
    box = axis.bounding_box()
    middle = box["x"] + box["width"] / 2
    page.mouse.move(middle, box["y"] + 0.55 * box["height"])
    page.mouse.down()
    page.mouse.move(middle, box["y"] + 0.8 * box["height"], steps=4)
    page.mouse.up()
    browser.painted(page)
    told = page.locator("#matches").inner_text()
    number = int(told.split()[0])
    assert 0 < number < 60
    assert told.endswith("of 60 runs")
    assert page.locator(ROWS).count() == number
    assert "brush=optimizer.learning_rate" in page.url
    again = open_page("#" + page.url.partition("#")[2])
    assert again.locator("#matches").inner_text() == told
    again.locator("#reset").click()
    assert again.locator("#matches").inner_text() == "60 of 60 runs"


def test_filter_and_statuses_select_and_a_bad_expression_is_said(open_page: Open) -> None:
    page = open_page("#filter=cell%3Dlstm")
    number = page.locator(ROWS).count()
    assert 0 < number < 60
    assert page.locator("#filter").input_value() == "cell=lstm"
    page.locator("#statuses button[data-status=diverged]").click()
    assert page.locator("#table .status.diverged").count() == 0
    assert "hide=diverged" in page.url
    page.locator("#filter").fill("cell=(")
    page.locator("#matches.invalid").wait_for()
    assert page.locator("#statuses b").first.inner_text() == "-"


def test_everything_can_be_done_by_keyboard(open_page: Open) -> None:
    page = open_page()
    first = page.locator(ROWS).nth(0)
    first.locator("input").focus()
    browser.painted(page)
    assert page.evaluate(DIMMED, FIGURES) == FIGURES
    page.keyboard.press("Space")
    assert page.locator(KEPT_ROWS).count() == 1
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert "again alone" in page.locator("#table td.details").inner_text()
    name = page.locator("#parallel .name").nth(0)
    name.focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#parallel .name").nth(1).get_attribute("data-key") == (
        "optimizer.learning_rate"
    )
    page.locator("#parallel-ranges").evaluate("one => one.parentElement.open = true")
    field = page.get_by_label("lr from")
    field.fill("0.1")
    field.press("Enter")
    page.keyboard.press("Tab")
    assert int(page.locator("#matches").inner_text().split()[0]) < 60


def test_columns_can_be_chosen_and_saved(open_page: Open, tmp_path: Path) -> None:
    page = open_page("#filter=cell%3Dgru&sort=best")
    page.locator(".chooser summary").click()
    page.get_by_label("last train/loss").check()
    page.get_by_label("seconds", exact=True).uncheck()
    assert "columns=" in page.url
    with page.expect_download() as saved:
        page.locator("#csv").click()
    saved.value.save_as(tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == page.locator(ROWS).count()
    assert {row["cell"] for row in rows} == {"gru"}
    assert "last train/loss" in rows[0]
    assert "seconds" not in rows[0]


@pytest.mark.parametrize("width", [390, 1280, 1920])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_page(open_page: Open, width: int, scheme: str) -> None:
    page = open_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_axe_finds_nothing(open_page: Open) -> None:
    if not AXE.exists():
        pytest.skip("there is no axe-core: npm ci in sweeps/report/page")
    for scheme in ("light", "dark"):
        page = open_page("#keep=000001", color_scheme=scheme)
        page.locator(ROWS).nth(0).locator("button.id").click()
        page.evaluate(AXE.read_text(encoding="utf-8"))
        found = page.evaluate("axe.run()")["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []


def test_page_of_a_running_sweep_reads_its_file_again(open_page: Open, report: Path) -> None:
    text = report.read_text(encoding="utf-8")
    assert '"live":null' in text
    path = report.with_name("live.html")
    path.write_text(text.replace('"live":null', '"live":2'), encoding="utf-8")
    page = open_page("#filter=cell%3Dlstm", path)
    with page.expect_navigation():
        pass
    browser.painted(page)
    assert page.locator("#filter").input_value() == "cell=lstm"
    assert "follows the running sweep" in page.locator("#live").inner_text()
